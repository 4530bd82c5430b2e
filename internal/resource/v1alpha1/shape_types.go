package v1alpha1

// The shapes of text. They are aliases: only the custom resource definitions, where an API server refuses what does not
// fit, know them apart. Validate checks the same, says more about it, and knows what a pattern cannot.

// DNSLabel is lower-case letters, digits and '-', as the name of a namespace.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type DNSLabel = string

// DNSName is labels joined by dots, as the name of an object.
//
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type DNSName = string

// AppName is name, or namespace/name.
//
// +kubebuilder:validation:MaxLength=317
// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type AppName = string

// Scope is a scope-token (RFC 6749 section 3.3).
//
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^[!#-\[\]-~]+$`
type Scope = string

// Token is a token (RFC 9110 section 5.6.2): the name of a header field, a parameter or a cookie.
//
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
type Token = string

// TextLine is one line of text for people.
//
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f-\x9f]*$`
type TextLine = string

// Word is text that is compared with, or looked up in, a token.
//
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^[^\x00-\x20\x7f-\x9f]+$`
type Word = string

// HostPattern is a host's name, *.name for all names below it, an IPv4 address, or an IPv6 address in brackets.
//
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:XValidation:rule="self.matches('^(([*][.])?[A-Za-z0-9_-]{1,63}([.][A-Za-z0-9_-]{1,63})*[.]?|[[][0-9A-Fa-f:.]+[]])$')",message="write a name such as orders.example.com, or *.example.com for all names below it, without a port"
// +kubebuilder:validation:XValidation:rule="!self.startsWith('*.') || !self.matches('[.][0-9]+[.]?$')",message="nothing is below an address: write the address alone"
type HostPattern = string

// WebOrigin is an origin as browsers send it (RFC 6454 section 6.2).
//
// +kubebuilder:validation:MaxLength=300
// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9+.-]*://([a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`
// +kubebuilder:validation:XValidation:rule="!(self.startsWith('https://') && self.endsWith(':443') || self.startsWith('http://') && self.endsWith(':80'))",message="browsers leave out the port that is the scheme's own"
type WebOrigin = string

// Method is a request's method. Methods are compared with their case.
//
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[A-Z_-]+$`
type Method = string

// SourcePrefix is an IP prefix, or an address alone.
//
// +kubebuilder:validation:MaxLength=49
// +kubebuilder:validation:Pattern=`^([0-9]{1,3}(\.[0-9]{1,3}){3}(/(3[0-2]|[12]?[0-9]))?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$`
type SourcePrefix = string

// HeaderValue has no space around it.
//
// +kubebuilder:validation:MaxLength=4096
// +kubebuilder:validation:Pattern=`^([^\x00-\x20\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?)?$`
type HeaderValue = string

// CanonicalPath begins with '/', has neither empty nor dot segments, and what is percent-encoded in it is in upper case.
//
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^/?$|^(/(\.{0,2}([!"$&--0-:<->@-\[\]-~]|%[2-9A-F][0-9A-F])|\.{3})([!"$&-.0->@-\[\]-~]|%[2-9A-F][0-9A-F])*)+/?$`
type CanonicalPath = string

// PathTemplate is a CanonicalPath of which a segment may be {name} and the last one {name=**}.
//
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^(/([!"$-.0->@-\[\]-z|~]+|\{[A-Za-z_][A-Za-z0-9_]{0,63}\}))*(/(\{[A-Za-z_][A-Za-z0-9_]{0,63}=\*\*\})?)?$`
type PathTemplate = string
