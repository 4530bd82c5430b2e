// Package adminv1 holds the messages of the admin API, generated from the protos beside it, which describe the API.
// Clients and handlers of its services are in adminv1connect.
package adminv1

//go:generate ../../../buf.sh generate
