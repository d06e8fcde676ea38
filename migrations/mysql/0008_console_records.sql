-- What the web console ran and explored. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE IF NOT EXISTS console_records (
    -- Drawn at random by the page with the form. A form that is sent twice names the same record.
    id         VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    -- run or exploration.
    kind       VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- What was asked for, as JSON.
    plan       LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- running, ended, stopped or failed.
    state      VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- How far it is, as JSON.
    progress   LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- 1 if a visitor has asked to stop it.
    stop_asked BIGINT NOT NULL,
    -- What came of it, as JSON. NULL until it is over.
    record     LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    created_at BIGINT NOT NULL,
    -- By the engine's clock. While it runs, its service sets it again and again.
    updated_at BIGINT NOT NULL,
    KEY console_records_created_at (created_at)
) ENGINE = InnoDB;
