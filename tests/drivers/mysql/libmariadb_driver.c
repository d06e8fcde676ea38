// libmariadb: mysql_real_query for text, mysql_stmt_* for prepared statements.
// Arguments: HOST PORT USER PASSWORD DATABASE LIST.
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 32

static void show(const char *value, unsigned long length) {
  if (!value) {
    printf(" | NULL");
    return;
  }
  unsigned sum = 5381;
  for (unsigned long i = 0; i < length; i++) sum = sum * 33 + (unsigned char)value[i];
  if (length > 80) {
    printf(" | %lu bytes, sum %u", length, sum);
    return;
  }
  printf(" | '");
  for (const unsigned char *c = (const void *)value; length--; c++)
    *c < 32 || *c > 126 ? printf("\\x%02x", *c) : putchar(*c);
  printf("'");
}

static void columns(MYSQL_RES *result) {
  printf("  columns");
  for (MYSQL_FIELD *f; (f = mysql_fetch_field(result));) printf(" | %s:%d", f->name, f->type);
  puts("");
}

static void rows(MYSQL_RES *result) {
  columns(result);
  for (MYSQL_ROW row; (row = mysql_fetch_row(result)); puts("")) {
    printf("  row");
    for (unsigned i = 0; i < mysql_num_fields(result); i++)
      show(row[i], mysql_fetch_lengths(result)[i]);
  }
  mysql_free_result(result);
}

static void text(MYSQL *m, const char *sql) {
  int more = mysql_real_query(m, sql, strlen(sql));
  for (; more == 0; more = mysql_next_result(m)) {
    MYSQL_RES *result = mysql_store_result(m);
    if (result) {
      rows(result);
    } else if (mysql_field_count(m)) {
      break;
    } else {
      unsigned warnings = mysql_warning_count(m);
      printf("  done %llu %llu %u\n", mysql_affected_rows(m), mysql_insert_id(m), warnings);
    }
  }
  if (mysql_errno(m))
    printf("  error %u %s %s\n", mysql_errno(m), mysql_sqlstate(m), mysql_error(m));
}

// Reads one argument. Its value lives as long as the program.
static void bind_one(MYSQL_BIND *in, char *argument) {
  char *value = argument + 2, *made = value;
  unsigned long length = strlen(value);
  in->buffer_type = MYSQL_TYPE_STRING;
  switch (argument[0]) {
    case 'i':
      in->buffer_type = MYSQL_TYPE_LONGLONG;
      made = malloc(sizeof(long long));
      *(long long *)(void *)made = atoll(value);
      break;
    case 'f':
      in->buffer_type = MYSQL_TYPE_DOUBLE;
      made = malloc(sizeof(double));
      *(double *)(void *)made = atof(value);
      break;
    case 'n':
      in->buffer_type = MYSQL_TYPE_NULL;
      break;
    case 'r':
      length = strtoul(value, NULL, 10);
      made = memset(malloc(length + 1), 'x', length);
      break;
    case 'b':
      in->buffer_type = MYSQL_TYPE_BLOB;
      length /= 2;
      for (unsigned long k = 0; k < length; k++) {
        unsigned byte;
        sscanf(value + 2 * k, "%2x", &byte);
        value[k] = (char)byte;
      }
  }
  in->buffer = made;
  in->buffer_length = length;
}

static void fetch(MYSQL_STMT *s, unsigned count) {
  unsigned long lengths[MOST];
  my_bool nulls[MOST];
  MYSQL_BIND out[MOST] = {0};
  for (unsigned i = 0; i < count; i++) {
    out[i].buffer_type = MYSQL_TYPE_STRING;
    out[i].length = &lengths[i];
    out[i].is_null = &nulls[i];
  }
  if (mysql_stmt_bind_result(s, out)) return;
  for (int e; (e = mysql_stmt_fetch(s)) == 0 || e == MYSQL_DATA_TRUNCATED; puts("")) {
    printf("  row");
    for (unsigned i = 0; i < count; i++) {
      char *value = malloc(lengths[i] + 64);
      MYSQL_BIND one = {0};
      one.buffer_type = MYSQL_TYPE_STRING;
      one.buffer = value;
      one.buffer_length = lengths[i] + 64;
      one.length = &lengths[i];
      one.is_null = &nulls[i];
      if (!nulls[i]) mysql_stmt_fetch_column(s, &one, i, 0);
      show(nulls[i] ? NULL : value, lengths[i]);
      free(value);
    }
  }
}

static void prepared(MYSQL *m, const char *sql, char **arguments, int count) {
  MYSQL_STMT *s = mysql_stmt_init(m);
  MYSQL_BIND in[MOST] = {0};
  for (int i = 0; i < count; i++) bind_one(&in[i], arguments[i]);
  if (!mysql_stmt_prepare(s, sql, strlen(sql)) && !mysql_stmt_bind_param(s, in) &&
      !mysql_stmt_execute(s)) {
    unsigned fields = mysql_stmt_field_count(s);
    if (fields) {
      MYSQL_RES *result = mysql_stmt_result_metadata(s);
      columns(result);
      mysql_free_result(result);
      fetch(s, fields);
    } else {
      printf("  done %llu %llu\n", mysql_stmt_affected_rows(s), mysql_stmt_insert_id(s));
    }
  }
  if (mysql_stmt_errno(s))
    printf("  error %u %s %s\n", mysql_stmt_errno(s), mysql_stmt_sqlstate(s), mysql_stmt_error(s));
  mysql_stmt_close(s);
}

int main(int argc, char **a) {
  MYSQL *m = mysql_init(NULL);
  char line[4096];
  int number = 0;
  mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (argc < 7 || !mysql_real_connect(m, a[1], a[3], a[4], a[5], (unsigned)atoi(a[2]), NULL,
                                      CLIENT_MULTI_RESULTS)) {
    printf("%s\n", mysql_error(m));
    return 1;
  }
  for (FILE *list = fopen(a[6], "r"); list && fgets(line, sizeof line, list);) {
    char *parts[MOST], *rest = line;
    int count = 0;
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '#') continue;
    while (rest && count < MOST) parts[count++] = strsep(&rest, "\t");
    printf("%d %s %.60s\n", number++, parts[0], parts[2]);
    if (parts[0][0] == 't')
      text(m, parts[2]);
    else
      prepared(m, parts[2], parts + 3, count - 3);
  }
  mysql_close(m);
}
