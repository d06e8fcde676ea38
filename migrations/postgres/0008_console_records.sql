-- What the web console ran and explored. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE console_records (
    -- Drawn at random by the page with the form. A form that is sent twice names the same record.
    id         VARCHAR(64) NOT NULL PRIMARY KEY,
    -- run or exploration.
    kind       VARCHAR(20) NOT NULL,
    -- What was asked for, as JSON.
    plan       TEXT NOT NULL,
    -- running, ended, stopped or failed.
    state      VARCHAR(20) NOT NULL,
    -- How far it is, as JSON.
    progress   TEXT NOT NULL,
    -- 1 if a visitor has asked to stop it.
    stop_asked BIGINT NOT NULL,
    -- What came of it, as JSON. NULL until it is over.
    record     TEXT,
    created_at BIGINT NOT NULL,
    -- By the engine's clock. While it runs, its service sets it again and again.
    updated_at BIGINT NOT NULL
);
CREATE INDEX console_records_created_at ON console_records (created_at);
