-- The native side of the measurement, run by sysbench: every thread has one connection, on which it
-- runs one deposit's transaction after the other, with the statements that the service sends.
--
--   LUA_PATH='tools/bench.d/?.lua;;' sysbench native.lua --socket=PATH --accounts=2,3 prepare
--   LUA_PATH='tools/bench.d/?.lua;;' sysbench native.lua --socket=PATH --account=2 \
--     --transaction='START TRANSACTION; SELECT ... WHERE id = :account; ...; COMMIT' run
--
-- sysbench's own SQL functions cannot read the row that a prepared statement selects, but a deposit
-- adds to the balance that it read. So the statements go straight to MariaDB's C client, the library
-- that sysbench itself is linked with on Debian.

local ffi = require("ffi")
local samples = require("samples")

sysbench.cmdline.options = {
  socket = { "The server's unix socket", "" },
  database = { "The database", "racy" },
  accounts = { "The accounts that prepare makes", { "1" } },
  account = { "The account to deposit to", 1 },
  amount = { "What to deposit", 100 },
  transaction = { "The statements of a deposit, with :account, :amount and :new_balance", "" },
}

-- From the headers mysql.h and mariadb_stmt.h of MariaDB Connector/C 3, whose binary interface is
-- fixed by its file name, libmariadb.so.3.
ffi.cdef [[
  typedef struct st_mysql MYSQL;
  typedef struct st_mysql_stmt MYSQL_STMT;
  typedef struct {
    unsigned long *length;
    char *is_null;
    void *buffer;
    char *error;
    void *row_or_indicator;
    void *store, *fetch, *skip;
    unsigned long buffer_length, offset, length_value;
    unsigned int flags, pack_length;
    int buffer_type;
    char error_value, is_unsigned, long_data_used, is_null_value;
    void *extension;
  } MYSQL_BIND;

  MYSQL *mysql_init(MYSQL *);
  MYSQL *mysql_real_connect(MYSQL *, const char *host, const char *user, const char *password,
    const char *database, unsigned int port, const char *socket, unsigned long flags);
  int mysql_real_query(MYSQL *, const char *sql, unsigned long length);
  unsigned int mysql_errno(MYSQL *);
  const char *mysql_error(MYSQL *);
  void mysql_close(MYSQL *);

  MYSQL_STMT *mysql_stmt_init(MYSQL *);
  int mysql_stmt_prepare(MYSQL_STMT *, const char *sql, unsigned long length);
  char mysql_stmt_bind_param(MYSQL_STMT *, MYSQL_BIND *);
  char mysql_stmt_bind_result(MYSQL_STMT *, MYSQL_BIND *);
  int mysql_stmt_execute(MYSQL_STMT *);
  int mysql_stmt_store_result(MYSQL_STMT *);
  int mysql_stmt_fetch(MYSQL_STMT *);
  char mysql_stmt_free_result(MYSQL_STMT *);
  unsigned int mysql_stmt_errno(MYSQL_STMT *);
  const char *mysql_stmt_error(MYSQL_STMT *);
]]

local client = ffi.load("libmariadb.so.3")

local MYSQL_TYPE_LONGLONG = 8

-- What the service answers with 409: lock wait timeout, deadlock, record has changed.
local REFUSALS = { [1205] = true, [1213] = true, [1020] = true }

local connection, steps, values, own

local function connect()
  connection = client.mysql_init(nil)
  local options = sysbench.opt
  if client.mysql_real_connect(connection, nil, "root", nil, options.database, 0, options.socket, 0)
    == nil then
    error("cannot connect to " .. options.socket .. ": " .. ffi.string(client.mysql_error(connection)))
  end
end

-- Runs a statement without values. Returns the engine's code where it refuses.
local function command(sql)
  if client.mysql_real_query(connection, sql, #sql) == 0 then
    return nil
  end
  local code = client.mysql_errno(connection)
  if not REFUSALS[code] then
    error(sql .. ": " .. ffi.string(client.mysql_error(connection)))
  end
  return code
end

local function bindings(names)
  local binds = ffi.new("MYSQL_BIND[?]", math.max(#names, 1))
  for index, name in ipairs(names) do
    binds[index - 1].buffer_type = MYSQL_TYPE_LONGLONG
    binds[index - 1].buffer = values[name] or error("there is no :" .. name)
  end
  return binds
end

-- Prepares a statement whose values are taken from `values` each time it runs. What it selects is
-- the balance.
local function prepare(sql)
  local names = {}
  local text = sql:gsub(":([%a_]+)", function(name)
    names[#names + 1] = name
    return "?"
  end)
  local statement = client.mysql_stmt_init(connection)
  local function check(failed)
    if failed ~= 0 then
      error(text .. ": " .. ffi.string(client.mysql_stmt_error(statement)))
    end
  end
  check(client.mysql_stmt_prepare(statement, text, #text))

  -- Kept beside the statement, which points to them.
  local params, result = bindings(names), bindings({ "balance" })
  local selects = text:find("^SELECT") ~= nil
  check(client.mysql_stmt_bind_param(statement, params))
  if selects then
    check(client.mysql_stmt_bind_result(statement, result))
  end
  return { statement = statement, params = params, result = result, selects = selects }
end

-- Runs a prepared statement. Returns the engine's code where it refuses.
local function execute(step)
  local statement = step.statement
  local failed = client.mysql_stmt_execute(statement) ~= 0
  if not failed and step.selects then
    failed = client.mysql_stmt_store_result(statement) ~= 0
      or client.mysql_stmt_fetch(statement) ~= 0
      or client.mysql_stmt_free_result(statement) ~= 0
    values.new_balance[0] = values.balance[0] + values.amount[0]
  end
  if not failed then
    return nil
  end
  local code = client.mysql_stmt_errno(statement)
  if not REFUSALS[code] then
    error("a statement failed: " .. ffi.string(client.mysql_stmt_error(statement)))
  end
  return code
end

-- Runs the statements until one is refused, whose code it returns.
local function deposit()
  for _, step in ipairs(steps) do
    local refusal
    if type(step) == "string" then
      refusal = command(step)
    else
      refusal = execute(step)
    end
    if refusal then
      -- As the service does, because after a lock timeout the transaction is still open.
      command("ROLLBACK")
      return refusal
    end
  end
  return nil
end

sysbench.cmdline.commands = {
  prepare = {
    function()
      connect()
      for _, account in ipairs(sysbench.opt.accounts) do
        command("INSERT IGNORE INTO accounts (id, balance, opening_balance) VALUES ("
          .. account .. ", 0, 0)")
      end
      client.mysql_close(connection)
    end,
  },
}

function thread_init()
  connect()
  values = {}
  for _, name in ipairs({ "account", "amount", "balance", "new_balance" }) do
    values[name] = ffi.new("int64_t[1]")
  end
  values.account[0] = sysbench.opt.account
  values.amount[0] = sysbench.opt.amount
  steps = {}
  for sql in sysbench.opt.transaction:gmatch("%s*([^;]+)") do
    steps[#steps + 1] = sql:find(":%a") and prepare(sql) or sql
  end
  own = samples.new()
end

function event()
  local began = samples.now()
  samples.note(own, began, deposit())
end

function thread_done()
  samples.print(own)
  client.mysql_close(connection)
end
