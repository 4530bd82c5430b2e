-- Apps and their keys, the sequence of their changes, and what is on record of them.
--
-- Times are microseconds since 1970 in UTC, and NULL is no time. Names compare byte by byte, as in SQLite, so that pages
-- come in the same order.

-- +goose Up

-- One row. Each migration sets version to its number; one that older programs cannot work with sets min_program, too.
CREATE TABLE schema_info (
    version     INTEGER NOT NULL,
    min_program INTEGER NOT NULL
);
INSERT INTO schema_info (version, min_program) VALUES (1, 1);

CREATE TABLE apps (
    namespace    TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    display_name TEXT    NOT NULL,
    owner        TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    disabled     BOOLEAN NOT NULL,
    scopes       JSONB   NOT NULL,
    labels       JSONB   NOT NULL,
    attributes   JSONB   NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    revision     BIGINT  NOT NULL, -- the number of the last change
    PRIMARY KEY (namespace, name)
);

CREATE TABLE keys (
    namespace   TEXT COLLATE "C" NOT NULL,
    app         TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    type        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    -- API keys and personal access tokens
    digest      BYTEA,
    pepper      TEXT,              -- its id; empty: a plain digest
    prefix      TEXT    NOT NULL,
    last_four   TEXT    NOT NULL,
    subject     TEXT,              -- the user
    -- signing keys
    signing_id  TEXT COLLATE "C",
    algorithm   TEXT    NOT NULL,
    public_key  TEXT    NOT NULL,
    sealed      BYTEA,             -- the secret
    sealing_key BIGINT,            -- the id of the key that it is sealed with
    -- how long and for what it is good
    scopes      JSONB,             -- NULL: all the App's
    disabled    BOOLEAN NOT NULL,
    not_before  BIGINT,
    expires_at  BIGINT,
    revoked_at  BIGINT,
    successor   TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    revision    BIGINT  NOT NULL,
    PRIMARY KEY (namespace, app, name),
    FOREIGN KEY (namespace, app) REFERENCES apps (namespace, name) ON DELETE CASCADE
);
CREATE UNIQUE INDEX keys_digest ON keys (digest, pepper);
CREATE UNIQUE INDEX keys_signing_id ON keys (signing_id, namespace);
CREATE INDEX keys_subject ON keys (subject) WHERE subject IS NOT NULL;
CREATE INDEX keys_expires_at ON keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX keys_sealing_key ON keys (sealing_key) WHERE sealing_key IS NOT NULL;

-- The peppers that digests were ever made with.
CREATE TABLE peppers (
    id TEXT PRIMARY KEY
);

-- One row: the number of the last change. Who changes something holds its lock until the end.
CREATE TABLE change_counter (
    store_id TEXT   NOT NULL, -- tells one database from another
    seq      BIGINT NOT NULL
);
INSERT INTO change_counter (store_id, seq) VALUES (CAST(gen_random_uuid() AS TEXT), 0);

-- What must be read again. Old rows are removed; the numbers of those that are left have no gap.
CREATE TABLE changes (
    seq        BIGINT PRIMARY KEY,
    changed_at BIGINT NOT NULL,
    namespace  TEXT   NOT NULL,
    app        TEXT   NOT NULL,
    digest     BYTEA,
    pepper     TEXT,
    signing_id TEXT
);

-- Requests that must not be carried out twice.
CREATE TABLE requests (
    caller  TEXT   NOT NULL,
    method  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    hash    BYTEA  NOT NULL,
    object  TEXT   NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (caller, method, id)
);
CREATE INDEX requests_made_at ON requests (made_at);

CREATE TABLE usage (
    namespace TEXT COLLATE "C" NOT NULL,
    app       TEXT COLLATE "C" NOT NULL,
    key       TEXT COLLATE "C" NOT NULL,
    day       TEXT COLLATE "C" NOT NULL, -- YYYY-MM-DD in UTC
    requests  BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (namespace, app, key, day)
);
CREATE INDEX usage_day ON usage (day DESC, namespace, app, key);

CREATE TABLE audit (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    caller     TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    method     TEXT   NOT NULL,
    namespace  TEXT   NOT NULL,
    app        TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    peer       TEXT   NOT NULL,
    before     JSON,
    after      JSON,
    reason     TEXT   NOT NULL
);
CREATE INDEX audit_object ON audit (namespace, app, key, id);

-- +goose StatementBegin
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit record is append-only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
