package admin

import (
	"time"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

var keyTypes = map[adminv1.KeyType]sqlstore.KeyType{
	adminv1.KeyType_KEY_TYPE_UNSPECIFIED:           sqlstore.APIKey,
	adminv1.KeyType_KEY_TYPE_API_KEY:               sqlstore.APIKey,
	adminv1.KeyType_KEY_TYPE_PERSONAL_ACCESS_TOKEN: sqlstore.PersonalAccessToken,
	adminv1.KeyType_KEY_TYPE_HMAC_SECRET:           sqlstore.HMACSecret,
	adminv1.KeyType_KEY_TYPE_PUBLIC_KEY:            sqlstore.PublicKey,
}

func typeMessage(t sqlstore.KeyType) adminv1.KeyType {
	for message, stored := range keyTypes {
		if stored == t && message != adminv1.KeyType_KEY_TYPE_UNSPECIFIED {
			return message
		}
	}
	return adminv1.KeyType_KEY_TYPE_UNSPECIFIED
}

var keyStates = map[adminv1.KeyState]sqlstore.State{
	adminv1.KeyState_KEY_STATE_ACTIVE:   sqlstore.Active,
	adminv1.KeyState_KEY_STATE_PENDING:  sqlstore.Pending,
	adminv1.KeyState_KEY_STATE_DISABLED: sqlstore.Disabled,
	adminv1.KeyState_KEY_STATE_EXPIRED:  sqlstore.Expired,
	adminv1.KeyState_KEY_STATE_REVOKED:  sqlstore.Revoked,
}

func stateMessage(s sqlstore.State) adminv1.KeyState {
	for message, stored := range keyStates {
		if stored == s {
			return message
		}
	}
	return adminv1.KeyState_KEY_STATE_UNSPECIFIED
}

func keyMessage(k *sqlstore.Key, now time.Time) *adminv1.Key {
	return &adminv1.Key{
		Namespace: k.Namespace, App: k.App, Name: k.Name, Type: typeMessage(k.Type), State: stateMessage(k.State(now)),
		Prefix: k.Prefix, LastFour: k.LastFour, SigningKeyId: k.SigningID, Algorithm: k.Algorithm, PublicKey: k.PublicKey,
		Description: k.Description, Subject: k.Subject, Scopes: k.Scopes, AllScopes: k.Scopes == nil, Disabled: k.Disabled,
		NotBefore: timestamp(k.NotBefore), ExpireTime: timestamp(k.ExpiresAt), RevokeTime: timestamp(k.RevokedAt),
		CreateTime: timestamp(k.CreatedAt), UpdateTime: timestamp(k.UpdatedAt),
		Successor: k.Successor, LastUsedTime: timestamp(k.LastUsed), Etag: etag(k.Revision),
	}
}
