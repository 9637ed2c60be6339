# Turns the files sql/DIALECT/NNN-NAME.sql into account_migrations[] of store/schema_sql.h:
#   awk -f embed.awk sql/mysql/*.sql sql/sqlite3/*.sql > schema_sql.c
# A statement ends with ";" at the end of a line; a line that begins with "--" is a comment.

function fail(text) {
    print FILENAME ":" FNR ": " text > "/dev/stderr"
    failed = 1
    exit 1
}

function finish_file() {
    if (statement != "") {
        fail("the last statement of the file before has no end")
    }
    if (open) {
        print "    NULL,\n};"
    }
    open = 0
}

BEGIN {
    print "/* Made by embed.awk from sql/. */"
    print "#include \"store/schema_sql.h\"\n"
    print "#include <stddef.h>"
}

FNR == 1 {
    finish_file()
    parts = split(FILENAME, path, "/")
    dialect = parts > 1 ? path[parts - 1] : ""
    if ((dialect != "mysql" && dialect != "sqlite3") ||
        path[parts] !~ /^[0-9][0-9][0-9]-.*\.sql$/) {
        fail("not a name like sql/mysql/001-accounts.sql")
    }
    version = substr(path[parts], 1, 3) + 0
    name = dialect "_" version
    if (name in seen) {
        fail("two files of version " version)
    }
    seen[name] = 1
    count++
    row[count] = "    {ACCOUNT_" toupper(dialect) ", " version ", \"sql/" dialect "/" path[parts] \
        "\", " name "},"
    print "\nstatic const char *const " name "[] = {"
    open = 1
}

/^[ \t]*--/ || /^[ \t\r]*$/ { next }

{
    line = $0
    sub(/^[ \t]+/, "", line)
    sub(/[ \t\r]+$/, "", line)
    ends = sub(/;$/, "", line)
    gsub(/\\/, "\\\\", line)
    gsub(/"/, "\\\"", line)
    statement = statement (statement == "" ? "" : " \"\n    \"") line
    if (ends) {
        print "    \"" statement "\","
        statement = ""
    }
}

END {
    if (failed) {
        exit 1
    }
    finish_file()
    print "\nconst account_migration_t account_migrations[] = {"
    for (i = 1; i <= count; i++) {
        print row[i]
    }
    print "};\n"
    print "const int account_migration_count = " count ";"
}
