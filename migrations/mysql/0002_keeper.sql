-- Who may change what the clients race for. Times are microseconds since 1970-01-01 UTC.

CREATE TABLE IF NOT EXISTS users (
    id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- Compared byte by byte: no name is another one in disguise.
    username      VARCHAR(150) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
    -- Argon2id, in PHC's format.
    password_hash VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at    BIGINT NOT NULL
) ENGINE = InnoDB;

-- Those who are signed in. Only a hash of what the browser holds: whoever reads this table cannot
-- sign in with it.
CREATE TABLE IF NOT EXISTS sessions (
    token_hash CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- For scripts. They do not expire; racy token revoke deletes them.
CREATE TABLE IF NOT EXISTS tokens (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    token_hash CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
    user_id    BIGINT NOT NULL,
    name       VARCHAR(150) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT tokens_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- Guesses at passwords, so that there cannot be many. One that turns out to be right is taken out again.
CREATE TABLE IF NOT EXISTS guesses (
    id       BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    username VARCHAR(150) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    address  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at       BIGINT NOT NULL,
    KEY guesses_username (username, at),
    KEY guesses_address (address, at)
) ENGINE = InnoDB;

-- Who changed what. The name and not only the number, so that it outlives the user.
CREATE TABLE IF NOT EXISTS changes (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    username   VARCHAR(150) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at         BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    what       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL
) ENGINE = InnoDB;
