# Accounts and sessions by the million, through SQL: each account has a user name, an address and a session, all have one
# password. The module is not asked: what it stores is made here as it would make it, and the checks at the end of
# "fill" show that it takes it for its own.
package Bench::Fill;
use strict;
use warnings;
use Account::Process qw(temp_dir slurp wait_until);
use Bench::Measure qw(run_quietly);
use Carp 'croak';
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256);

use constant REALM => 'default';
my @ALPHABET = ('a' .. 'z', 2 .. 7);

sub name { return sprintf 'user%07d', $_[0] }

# The token of the session of account n: 26 digits of base32.
sub token { return join '', map { $ALPHABET[ ord($_) & 31 ] } split //, substr sha256("session of $_[0]"), 0, 26 }

# HKDF-SHA256 without salt, as base/keys.c.
sub digest_key { my ($key) = @_; return hmac_sha256("mod_account digest 1\x01", hmac_sha256($key, "\0" x 32)) }

# The rows of account n: [table, columns, values].
my %COLUMNS = (
    account => 'id, ref, realm, user_name, email, mobile, email_verified, mobile_verified, password, role, status, registered_kind, '
        . 'registered_with, attributes, logins, created, updated',
    account_identifier => 'realm, value, account, kind, verified, created',
    account_session    => 'realm, digest, account, created, seen, expires, idle, address, agent',
);

sub rows {
    my ($n, $like) = @_;
    my ($name, $now) = (name($n), $like->{now});
    my $mail = "$name\@example.com";
    return (
        [ account => $n, sprintf('fill%012d', $n), REALM, $name, $mail, undef, 0, 0, $like->{password}, 'normal_user', 'active', 'user_name', $name,
            '{}', 0, $now, $now ],
        [ account_identifier => REALM, $name, $n, 'user_name', 0, $now ],
        [ account_identifier => REALM, $mail, $n, 'email',     0, $now ],
        [ account_session => REALM, hmac_sha256_hex('session/' . REALM . '/' . token($n), $like->{digest_key}), $n, $now, $now,
            $now + 30 * 86400000, 86400000, '127.0.0.1', 'bench' ],
    );
}

sub load_mysql {
    my ($server, $files) = @_;
    my $sql = 'SET unique_checks = 0, foreign_key_checks = 0; ' . join '', map {
        "LOAD DATA INFILE '$files->{$_}' INTO TABLE $_ CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' ($COLUMNS{$_}); "
    } sort keys %$files;
    run_quietly('mariadb', '--no-defaults', '--user=root', "--socket=$server->{mariadb}{socket}", '-e', "$sql ANALYZE TABLE account, account_identifier, account_session",
        $server->{dbname});
    # What was filled is written out before anybody measures.
    my $dirty = sub { ($server->{mariadb}->sql("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'"))[0] =~ /(\d+)/ ? $1 : 0 };
    $server->{mariadb}->sql('SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0, GLOBAL innodb_max_dirty_pages_pct = 0');
    wait_until(120, sub { $dirty->() < 100 });
    $server->{mariadb}->sql('SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT');
}

# Empty fields become NULL where a table takes it: import knows only texts.
sub load_sqlite {
    my ($server, $files) = @_;
    my $sql = "PRAGMA synchronous = OFF;\nPRAGMA cache_size = -200000;\nPRAGMA temp_store = MEMORY;\n.mode tabs\n";
    for my $table (sort keys %$files) {
        my @names = split /, /, $COLUMNS{$table};
        $sql .= "CREATE TEMP TABLE fill_$table (" . join(', ', @names) . ");\n.import --schema temp $files->{$table} fill_$table\n"
            . "INSERT INTO main.$table ($COLUMNS{$table}) SELECT " . join(', ', map { "NULLIF($_, '\\N')" } @names) . " FROM fill_$table;\nDROP TABLE fill_$table;\n";
    }
    my $dir = temp_dir('sql');
    Account::Process::spew("$dir/fill.sql", "$sql.print ok\nANALYZE;\n");
    run_quietly('sqlite3', '-bail', "$server->{dir}/account.db", ".read $dir/fill.sql");
}

# Accounts $from .. $from + $count - 1 into the database of the server, which is a Bench::Httpd and has made its tables.
# like: the account whose password they get.
sub fill {
    my ($server, $count, $like) = @_;
    my $dir = temp_dir('fill');
    chmod 0755, $dir;
    my ($password, $first) = Bench::Fill::sql($server, "SELECT password, id FROM account WHERE user_name = '$like'") or croak "no account $like";
    my %as = (password => $password, now => int(time * 1000), digest_key => digest_key($server->{key}));
    my (%files, %out);
    for my $table (keys %COLUMNS) {
        $files{$table} = "$dir/$table";
        open $out{$table}, '>', $files{$table} or croak "$files{$table}: $!";
    }
    for my $n ($first + 1 .. $first + $count) {
        for (rows($n, \%as)) {
            my ($table, @values) = @$_;
            print { $out{$table} } join("\t", map { $_ // '\N' } @values), "\n";
        }
    }
    close $_ or croak "fill: $!" for values %out;
    ($server->{account} eq 'mysql' ? \&load_mysql : \&load_sqlite)->($server, \%files);
    unlink values %files;
    return $first + 1;
}

# The columns of the first row.
sub sql {
    my ($server, $query) = @_;
    my @command = $server->{account} eq 'mysql'
        ? ('mariadb', '--no-defaults', '--batch', '--skip-column-names', '--user=root', "--socket=$server->{mariadb}{socket}", '-e', $query, $server->{dbname})
        : ('sqlite3', '-tabs', '-cmd', '.timeout 10000', "$server->{dir}/account.db", $query);
    open my $out, '-|', @command or croak "$command[0]: $!";
    my @rows = <$out>;
    close $out or croak "refused: $query";
    chomp @rows;
    return @rows ? split /\t/, $rows[0] : ();
}

1;
