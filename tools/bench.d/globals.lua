-- Sets global variables of a MySQL, and prints their former values, one name=value a line.
-- sysbench runs it:
--
--   sysbench globals.lua --mysql-socket=PATH --mysql-user=root --mysql-db=racy \
--     --settings=sync_binlog=0,innodb_flush_log_at_trx_commit=0 set

sysbench.cmdline.options = {
  settings = { "The variables to set, each as name=value", {} },
}

sysbench.cmdline.commands = {
  set = {
    function()
      local connection = sysbench.sql.driver():connect()
      for _, setting in ipairs(sysbench.opt.settings) do
        local name, value = setting:match("^([%w_]+)=([%w_]+)$")
        print(name .. "=" .. connection:query_row("SELECT @@GLOBAL." .. name))
        connection:query("SET GLOBAL " .. name .. " = " .. value)
      end
      connection:disconnect()
    end,
  },
}
