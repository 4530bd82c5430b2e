package server

import (
	"errors"
	"fmt"
	"net"

	"github.com/postern-auth/postern/internal/admin"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/listen"
)

// newAdmin makes the admin API over the database.
func (s *Server) newAdmin() (*admin.Server, error) {
	return admin.New(admin.Options{
		Store:       s.parts.stored.db,
		Hasher:      s.parts.hasher,
		CallersFile: s.cfg.Admin.CallersFile,
		TLS:         tlsFiles(s.cfg.Admin.TLS),
		Declared:    s.parts.stored.clashes.where,
		Observe:     s.tel.RegisterAdmin(),
		Log:         s.log,
	})
}

// tlsFiles are the files of a listener; nil: it speaks no TLS.
func tlsFiles(c config.TLS) *listen.TLS {
	if !c.Enabled() {
		return nil
	}
	return &listen.TLS{CertFile: c.CertFile, KeyFile: c.KeyFile, ClientCAFile: c.ClientCAFile}
}

// listeners are what is listened on. There is one for the admin API if it is served.
type listeners struct{ ops, authz, admin net.Listener }

func (s *Server) listen() (l listeners, err error) {
	type place struct {
		lis     *net.Listener
		field   string
		address config.Address
	}
	places := []place{
		{&l.ops, "ops.address", s.cfg.Ops.Address},
		{&l.authz, "extauthz.address", s.cfg.ExtAuthz.Address},
	}
	if s.admin != nil {
		places = append(places, place{&l.admin, "admin.address", s.cfg.Admin.Address})
	}
	for i, p := range places {
		if *p.lis, err = listen.On(string(p.address)); err != nil {
			err = fmt.Errorf("%s: %w", p.field, err)
			for _, open := range places[:i] {
				err = errors.Join(err, (*open.lis).Close())
			}
			return l, err
		}
	}
	return l, nil
}
