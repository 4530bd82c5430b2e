package admin

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// How long personal access tokens last: by default, and at most.
const (
	day          = 24 * time.Hour
	defaultToken = 30 * day
	longestToken = 366 * day
)

// ending returns when a new key expires, by what a request says: zero for never.
func ending(expireTime *timestamppb.Timestamp, ttl *durationpb.Duration, now time.Time) (at time.Time, given bool, err error) {
	if expireTime != nil && ttl != nil {
		return at, false, invalid("ttl", "give at most one of expire_time and ttl")
	}
	length, given, err := span("ttl", ttl)
	if err != nil || given {
		return now.Add(length), given, err
	}
	at, err = instant("expire_time", expireTime)
	return at, expireTime != nil, err
}

// lasts checks when a key of the type is good, before it is stored.
func lasts(k *sqlstore.Key, now time.Time) error {
	switch {
	case k.ExpiresAt.IsZero() && k.Type == sqlstore.PersonalAccessToken:
		return invalid("expire_time", "a personal access token must expire")
	case k.ExpiresAt.IsZero():
		return nil
	case !k.ExpiresAt.After(now):
		return invalid("expire_time", "it has passed; to end a key at once, revoke it")
	case !k.ExpiresAt.After(k.NotBefore):
		return invalid("expire_time", "the key would expire before it becomes good; let it expire after not_before")
	case k.Type == sqlstore.PersonalAccessToken && k.ExpiresAt.After(now.Add(longestToken)):
		return invalid("expire_time", "a personal access token lasts 366 days at most")
	}
	return nil
}
