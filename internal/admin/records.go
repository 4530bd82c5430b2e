package admin

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// usage implements UsageService.
type usage struct{ *service }

// audit implements AuditService.
type audit struct{ *service }

// named checks that a request which names a part names the whole.
func named(namespace, app, key string) error {
	switch {
	case app != "" && namespace == "":
		return invalid("namespace", "name the namespace of the App")
	case key != "" && app == "":
		return invalid("app", "name the App of the key")
	}
	return nil
}

// QueryUsage implements UsageService.
func (s usage) QueryUsage(ctx context.Context, r *adminv1.QueryUsageRequest) (*adminv1.QueryUsageResponse, error) {
	if err := named(r.GetNamespace(), r.GetApp(), r.GetKey()); err != nil {
		return nil, err
	}
	filter := sqlstore.UsageFilter{
		Namespaces: visible(ctx), App: r.GetApp(), Key: r.GetKey(),
		FirstDay: r.GetFirstDay(), LastDay: r.GetLastDay(), ByApp: r.GetByApp(),
	}
	for field, text := range map[string]string{"first_day": filter.FirstDay, "last_day": filter.LastDay} {
		if _, err := time.Parse(time.DateOnly, text); text != "" && err != nil {
			return nil, invalid(field, "write the day as YYYY-MM-DD")
		}
	}
	if filter.FirstDay == "" && filter.LastDay == "" {
		filter.FirstDay = s.now().UTC().AddDate(0, 0, -29).Format(time.DateOnly)
	}
	from, err := after[sqlstore.UsagePlace](r)
	if err != nil {
		return nil, err
	}
	read, err := s.store.Usage(ctx, filter, from, pageSize(r)+1)
	if err != nil {
		return nil, err
	}
	read, next, err := page(r, read, func(u *sqlstore.UsageCount) sqlstore.UsagePlace {
		return sqlstore.UsagePlace{Day: u.Day, KeyName: u.KeyName}
	})
	answer := &adminv1.QueryUsageResponse{NextPageToken: next}
	for _, u := range read {
		answer.Usage = append(answer.Usage, &adminv1.Usage{
			Namespace: u.Namespace, App: u.App, Key: u.Name, Day: u.Day, Requests: u.Requests, LastUsedTime: timestamp(u.LastUsed),
		})
	}
	return answer, err
}

// ListAuditEvents implements AuditService.
func (s audit) ListAuditEvents(ctx context.Context, r *adminv1.ListAuditEventsRequest) (*adminv1.ListAuditEventsResponse, error) {
	if err := named(r.GetNamespace(), r.GetApp(), r.GetKey()); err != nil {
		return nil, err
	}
	filter := sqlstore.EventFilter{Namespaces: visible(ctx), App: r.GetApp(), Key: r.GetKey(), Caller: r.GetCaller()}
	var err error
	if filter.Since, err = instant("since", r.GetSince()); err != nil {
		return nil, err
	}
	if filter.Until, err = instant("until", r.GetUntil()); err != nil {
		return nil, err
	}
	before, err := after[int64](r)
	if err != nil {
		return nil, err
	}
	read, err := s.store.Events(ctx, filter, before, pageSize(r)+1)
	if err != nil {
		return nil, err
	}
	read, next, err := page(r, read, func(e *sqlstore.Event) int64 { return e.ID })
	if err != nil {
		return nil, err
	}
	answer := &adminv1.ListAuditEventsResponse{NextPageToken: next}
	for i := range read {
		event, err := eventMessage(&read[i])
		if err != nil {
			return nil, err
		}
		answer.Events = append(answer.Events, event)
	}
	return answer, nil
}

func eventMessage(e *sqlstore.Event) (*adminv1.AuditEvent, error) {
	before, err := object(e.Before)
	if err != nil {
		return nil, err
	}
	after, err := object(e.After)
	if err != nil {
		return nil, err
	}
	return &adminv1.AuditEvent{
		Id: e.ID, Time: timestamp(e.At), Caller: e.Caller, Role: e.Role, Method: e.Method,
		Namespace: e.Namespace, App: e.App, Key: e.Key, RequestId: e.RequestID, Peer: e.Peer,
		Before: before, After: after, Reason: e.Reason,
	}, nil
}

// object reads what document wrote.
func object(document []byte) (*structpb.Struct, error) {
	if document == nil {
		return nil, nil //nolint:nilnil // there was none
	}
	s := &structpb.Struct{}
	return s, protojson.Unmarshal(document, s)
}
