package kube

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	keys "github.com/postern-auth/postern/internal/keystore/kube"
)

// cluster is how the API server is spoken to.
type cluster struct {
	config *rest.Config
	http   *http.Client
	scheme *runtime.Scheme
	mapper meta.RESTMapper
}

// connect finds out where the cluster is. Nothing is sent yet.
func connect(kubeconfig string) (cluster, error) {
	config, err := restConfig(kubeconfig)
	if err != nil {
		return cluster{}, err
	}
	config.QPS = -1 // the API server's priority and fairness is what bounds everybody
	c := cluster{config: config}
	if c.scheme, err = newScheme(); err != nil {
		return cluster{}, err
	}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return cluster{}, err
	}
	asking, err := apiutil.NewDynamicRESTMapper(config, c.http)
	c.mapper = mapper{asking}
	return c, err
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if !errors.Is(err, rest.ErrNotInCluster) {
			return config, err
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("%w; run in a Pod, or name a kubeconfig", err)
	}
	return config, nil
}

// newCache makes a cache of what is watched: in the namespaces, or in all if there are none. Of Secrets it holds only
// those that are labelled for Postern.
func (c *cluster) newCache(namespaces []string, trim toolscache.TransformFunc, o *outages) (cache.Cache, error) {
	labelled, err := labels.NewRequirement(keys.LabelCredential, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	options := cache.Options{
		HTTPClient: c.http, Scheme: c.scheme, Mapper: c.mapper,
		DefaultTransform: trim,
		ByObject:         map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: labels.NewSelector().Add(*labelled)}},
		NewInformer: func(lw toolscache.ListerWatcher, o2 runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
			return toolscache.NewSharedIndexInformer(o.observe(lw), o2, resync, indexers)
		},
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = make(map[string]cache.Config, len(namespaces))
		for _, name := range namespaces {
			options.DefaultNamespaces[name] = cache.Config{}
		}
	}
	return cache.New(c.config, options)
}

var logging sync.Once

// setLogger has the libraries log where Postern does. They know one logger for the whole process, and read it while it
// might be replaced: the first counts.
func setLogger(log *slog.Logger) {
	logging.Do(func() {
		klog.SetSlogLogger(log.With("component", "kubernetes"))
		ctrllog.SetLogger(klog.Background())
	})
}
