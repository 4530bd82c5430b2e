-- Apps and their keys, the sequence of their changes, and what is on record of them.
--
-- Times are microseconds since 1970 in UTC, and NULL is no time. Truths are 0 and 1.

-- +goose Up

-- One row. Each migration sets version to its number; one that older programs cannot work with sets min_program, too.
CREATE TABLE schema_info (
    version     INTEGER NOT NULL,
    min_program INTEGER NOT NULL
) STRICT;
INSERT INTO schema_info (version, min_program) VALUES (1, 1);

CREATE TABLE apps (
    namespace    TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    owner        TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    disabled     INTEGER NOT NULL,
    scopes       TEXT    NOT NULL,
    labels       TEXT    NOT NULL,
    attributes   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    revision     INTEGER NOT NULL, -- the number of the last change
    PRIMARY KEY (namespace, name)
) STRICT;

CREATE TABLE keys (
    namespace   TEXT    NOT NULL,
    app         TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    -- API keys and personal access tokens
    digest      BLOB,
    pepper      TEXT,             -- its id; empty: a plain digest
    prefix      TEXT    NOT NULL,
    last_four   TEXT    NOT NULL,
    subject     TEXT,             -- the user
    -- signing keys
    signing_id  TEXT,
    algorithm   TEXT    NOT NULL,
    public_key  TEXT    NOT NULL,
    sealed      BLOB,             -- the secret
    sealing_key INTEGER,          -- the id of the key that it is sealed with
    -- how long and for what it is good
    scopes      TEXT,             -- NULL: all the App's
    disabled    INTEGER NOT NULL,
    not_before  INTEGER,
    expires_at  INTEGER,
    revoked_at  INTEGER,
    successor   TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    PRIMARY KEY (namespace, app, name),
    FOREIGN KEY (namespace, app) REFERENCES apps (namespace, name) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX keys_digest ON keys (digest, pepper);
CREATE UNIQUE INDEX keys_signing_id ON keys (signing_id, namespace);
CREATE INDEX keys_subject ON keys (subject) WHERE subject IS NOT NULL;
CREATE INDEX keys_expires_at ON keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX keys_sealing_key ON keys (sealing_key) WHERE sealing_key IS NOT NULL;

-- The peppers that digests were ever made with.
CREATE TABLE peppers (
    id TEXT    PRIMARY KEY
) STRICT;

-- One row: the number of the last change. Who changes something holds its lock until the end.
CREATE TABLE change_counter (
    store_id TEXT    NOT NULL, -- tells one database from another
    seq      INTEGER NOT NULL
) STRICT;
INSERT INTO change_counter (store_id, seq) VALUES (lower(hex(randomblob(16))), 0);

-- What must be read again. Old rows are removed; the numbers of those that are left have no gap.
CREATE TABLE changes (
    seq        INTEGER PRIMARY KEY,
    changed_at INTEGER NOT NULL,
    namespace  TEXT    NOT NULL,
    app        TEXT    NOT NULL,
    digest     BLOB,
    pepper     TEXT,
    signing_id TEXT
) STRICT;

-- Requests that must not be carried out twice.
CREATE TABLE requests (
    caller  TEXT    NOT NULL,
    method  TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    object  TEXT    NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (caller, method, id)
) STRICT;
CREATE INDEX requests_made_at ON requests (made_at);

CREATE TABLE usage (
    namespace TEXT    NOT NULL,
    app       TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    day       TEXT    NOT NULL, -- YYYY-MM-DD in UTC
    requests  INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    PRIMARY KEY (namespace, app, key, day)
) STRICT;
CREATE INDEX usage_day ON usage (day DESC, namespace, app, key);

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    caller     TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    method     TEXT    NOT NULL,
    namespace  TEXT    NOT NULL,
    app        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    peer       TEXT    NOT NULL,
    before     TEXT,
    after      TEXT,
    reason     TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_object ON audit (namespace, app, key, id);

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;
-- +goose StatementEnd
