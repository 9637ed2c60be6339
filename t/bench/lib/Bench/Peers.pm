# Others that check a session, each configured as its own manual says for production: one process a core, persistent
# connections to the database, no debug, compiled code kept (opcache).
#
# What is needed is unpacked or installed into this run's folder and not into the system. Each function returns
# {port, path, headers, note}, or dies with the reason why it can't be had.
package Bench::Peers;
use strict;
use warnings;
use Account::Client;
use Account::Process qw($ROOT temp_dir free_port slurp spew wait_until);
use Bench::Httpd;
use Bench::Measure qw(run_quietly cores);

# The password in all of them.
use constant PASSWORD => 'Sesame-1-x';
use constant NPM => ('better-auth@1.7.24', 'mysql2@3.24.6');

my $HERE = "$ROOT/t/bench/peers";

# Debian's packages, unpacked: the folder.
sub unpack_debian {
    my ($dir, @packages) = @_;
    my $debs = "$dir/debs";
    mkdir $debs;
    run_quietly('sh', '-c', 'cd "$1" && shift && apt-get -q download "$@"', '-', $debs, @packages);
    run_quietly('dpkg-deb', '-x', $_, "$dir/root") for glob "$debs/*.deb";
    return "$dir/root";
}

sub version_of {
    my ($package) = @_;
    my ($version) = `apt-cache policy $package 2>/dev/null` =~ /Candidate: (\S+)/;
    return $version // '?';
}

sub begin {
    my ($dir, $port, $env, @command) = @_;
    my $process = Account::Process->spawn(command => \@command, output => "$dir/output",
        env => { HOME => $dir, ACCOUNT_MODULE => '', %$env });
    my $answers = sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1) };
    wait_until(60, sub { $answers->() || !$process->running }) && $process->running
        or die "$command[0] did not start: " . slurp("$dir/output") . "\n";
    return $process;
}

sub ask { my ($port, $method, $path, %opt) = @_; return Account::Client::request($port, $method, $path, timeout => 60, %opt) }

# "name=value; name=value" of what a reply sets.
sub cookies_of {
    my ($reply) = @_;
    my %set = map { /^([^=]+)=([^;]*)/ } @{ $reply->{headers}{'set-cookie'} || [] };
    return join '; ', map { "$_=$set{$_}" } grep { length $set{$_} } sort keys %set;
}

sub mysql_env {
    my ($mariadb, $name) = @_;
    return (BENCH_SOCKET => $mariadb->{socket}, BENCH_USER => 'account', BENCH_PASSWORD => Account::MariaDB::PASSWORD(),
        BENCH_DATABASE => $name);
}

# --- httpd's own ---

# The form logs in with a password file, which mod_auth_form reads for each request: its session holds the password.
sub auth_form {
    my ($mariadb, $bytes, $store) = @_;
    my %kept = (
        session_cookie => [ [qw(session_cookie session_crypto)],
            "SessionCookieName session path=/\nSessionCryptoPassphrase 7f1c90b4e8a35d62\n" ],
        session_dbd => [ [qw(dbd session_dbd)], "SessionDBDCookieName session path=/\n" ],
    );
    my ($modules, $lines) = @{ $kept{$store} };
    my $server = Bench::Httpd->new(modules => [ qw(authn_file auth_form request session), @$modules ]);
    my $conf = '';
    if ($store eq 'session_dbd') {
        my $name = $mariadb->fresh_database;
        $mariadb->sql('CREATE TABLE session (`key` VARCHAR(64) NOT NULL PRIMARY KEY, value TEXT, expiry BIGINT)', $name);
        $conf = "DBDriver mysql\nDBDParams \"" . $mariadb->params($name) . "\"\nDBDPersist On\nDBDMin 2\nDBDKeep 25\nDBDMax 25\n"
            . join '', map { qq(DBDPrepareSQL "$_->[1]" $_->[0]session\n) }
            [ delete => 'DELETE FROM session WHERE `key` = %s' ],
            [ update => 'UPDATE session SET value = %s, expiry = %lld, `key` = %s WHERE `key` = %s' ],
            [ insert => 'INSERT INTO session (value, expiry, `key`) VALUES (%s, %lld, %s)' ],
            [ select => 'SELECT value FROM session WHERE `key` = %s AND (expiry = 0 OR expiry > %lld)' ],
            [ clean => 'DELETE FROM session WHERE expiry != 0 AND expiry < %lld' ];
    }
    my $dir = $server->dir;
    run_quietly('htpasswd', '-bc', "$dir/passwords", 'anna', PASSWORD);
    spew("$dir/htdocs/guarded/x.json", $bytes);
    my $form = "AuthFormProvider file\nAuthType form\nAuthName bench\nAuthUserFile $dir/passwords\nSession On\n$lines";
    $server->{conf} .= "$conf<Location /guarded>\n${form}Require valid-user\n</Location>\n"
        . "<Location /login>\n${form}SetHandler form-login-handler\nAuthFormLoginSuccessLocation /guarded/x.json\n</Location>\n";
    $server->start;
    my $reply = ask($server->port, POST => '/login', form => { httpd_username => 'anna', httpd_password => PASSWORD });
    my $cookie = cookies_of($reply) or die "no session: $reply->{status} $reply->{body}" . slurp("$dir/logs/error_log") . "\n";
    return { server => $server, port => $server->port, path => '/guarded/x.json', headers => { Cookie => $cookie },
        wants => qr/\A\Q$bytes\E\z/, note => '' };
}

# --- Django ---

sub django {
    my ($mariadb) = @_;
    my $dir = temp_dir('django');
    my @packages = qw(python3-django python3-asgiref python3-sqlparse python3-tz python3-mysqldb gunicorn python3-gunicorn
        python3-pkg-resources);
    my $root = unpack_debian($dir, grep { version_of($_) ne '?' } @packages);
    my $port = free_port();
    my %env = (mysql_env($mariadb, $mariadb->fresh_database), PYTHONPATH => "$root/usr/lib/python3/dist-packages:$HERE",
        DJANGO_SETTINGS_MODULE => 'django_site', BENCH_PASSWORD_OF_ANNA => PASSWORD, PYTHONDONTWRITEBYTECODE => 1);
    { local %ENV = (%ENV, %env); run_quietly('/usr/bin/python3', "$HERE/django_site.py") }
    # its manual: workers for the cores, and threads, which keep connections open
    my $process = begin($dir, $port, \%env, '/usr/bin/python3', '-m', 'gunicorn', '--bind', "127.0.0.1:$port", '--workers', cores(),
        '--threads', 4, '--keep-alive', 30, '--worker-tmp-dir', '/dev/shm', 'django_site:application');
    my $reply = ask($port, POST => '/login', form => { username => 'anna', password => PASSWORD });
    my $cookie = cookies_of($reply) or die "no session: $reply->{status} $reply->{body} $reply->{error}" . slurp("$dir/output") . "\n";
    return { process => $process, port => $port, path => '/me', headers => { Cookie => $cookie }, wants => qr/"username": ?"anna"/,
        note => 'Django ' . version_of('python3-django') . ', gunicorn ' . version_of('gunicorn') . ', sessions in MariaDB' };
}

# --- better-auth ---

sub better_auth {
    my ($mariadb) = @_;
    my $dir = temp_dir('node');
    my $port = free_port();
    my %env = (mysql_env($mariadb, $mariadb->fresh_database), BENCH_PORT => $port, BENCH_WORKERS => cores(), NODE_ENV => 'production',
        HOME => $dir, BETTER_AUTH_TELEMETRY => 0);
    spew("$dir/package.json", '{"private": true, "type": "module"}');
    { local %ENV = (%ENV, %env); run_quietly('npm', 'install', '--prefix', $dir, '--ignore-scripts', '--no-audit', '--no-fund', NPM) }
    spew("$dir/server.js", slurp("$HERE/better_auth.js"));
    { local %ENV = (%ENV, %env); run_quietly('node', "$dir/server.js", 'migrate') }
    my $process = begin($dir, $port, \%env, 'node', "$dir/server.js");
    my $reply = ask($port, POST => '/api/auth/sign-up/email', json => { name => 'anna', email => 'anna@example.com', password => PASSWORD },
        headers => { Origin => "http://127.0.0.1:$port" });
    my $cookie = cookies_of($reply) or die "no session: $reply->{status} $reply->{body}" . slurp("$dir/output") . "\n";
    return { process => $process, port => $port, path => '/api/auth/get-session', headers => { Cookie => $cookie },
        wants => qr/"email":"anna\@example.com"/, note => join(', ', NPM, 'Node ' . (`node --version` =~ s/\s+//gr)) . ', sessions in MariaDB' };
}

# --- WordPress ---

sub php_version { my ($version) = `php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;' 2>/dev/null` =~ /^([\d.]+)$/; return $version }

sub wordpress {
    my ($mariadb) = @_;
    my $php = php_version() or die "no php\n";
    my $dir = temp_dir('wp');
    my $root = unpack_debian($dir, 'wordpress', "php$php-mysql", 'php-getid3');
    my $site = "$root/usr/share/wordpress";
    my ($extensions) = glob "$root/usr/lib/php/20*";
    my ($system) = map { chomp; $_ } `php -r 'echo ini_get("extension_dir");'`;
    my $server = Bench::Httpd->new(modules => [qw(proxy proxy_fcgi rewrite)]);
    my ($url, $socket) = ("http://127.0.0.1:" . $server->port, "$dir/sock");
    my $salt = join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 40;
    my $name = $mariadb->fresh_database;
    unlink "$site/wp-config.php", "$site/.htaccess";
    spew("$site/wp-config.php", slurp("$HERE/wp-config.php") =~ s/\@(\w+)\@/{ SOCKET => $mariadb->{socket}, URL => $url, SALT => $salt,
        NAME => $name, PASSWORD => Account::MariaDB::PASSWORD() }->{$1}/ger);
    # opcache never looks at files again, as PHP's manual says for production. No enablereuse: a kept connection holds a
    # process of FPM, which has fewer of them than httpd has threads.
    spew("$dir/php.ini", join '', map { "$_\n" } "zend_extension=$system/opcache.so", "opcache.enable=1", "opcache.validate_timestamps=0",
        "opcache.memory_consumption=128", "opcache.max_accelerated_files=10000", map { "extension=$extensions/$_.so" } qw(mysqlnd mysqli));
    spew("$dir/fpm.conf", "[global]\nerror_log = $dir/error.log\ndaemonize = no\n[www]\nlisten = $socket\npm = static\npm.max_children = "
        . 2 * cores() . "\npm.max_requests = 0\n");
    my ($fpm) = grep { -x } "/usr/sbin/php-fpm$php", '/usr/sbin/php-fpm' or die "no PHP-FPM\n";
    my $process = Account::Process->spawn(command => [ $fpm, '-F', '-c', "$dir/php.ini", '-p', $dir, '-y', "$dir/fpm.conf" ],
        output => "$dir/output", env => { PHP_INI_SCAN_DIR => "$dir/none", HOME => $dir });
    wait_until(20, sub { -S $socket || !$process->running }) && $process->running or die 'PHP-FPM: ' . slurp("$dir/output") . slurp("$dir/error.log");
    $server->{conf} .= <<"END";
DocumentRoot "$site"
<Directory "$site">
    Options FollowSymLinks
    Require all granted
    RewriteEngine On
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteCond %{REQUEST_FILENAME} !-d
    RewriteRule . /index.php [L]
</Directory>
DirectoryIndex index.php
<FilesMatch "\\.php\$">
    SetHandler "proxy:unix:$socket|fcgi://wp/"
</FilesMatch>
END
    $server->start;
    my $port = $server->port;
    ask($port, POST => '/wp-admin/install.php?step=2', form => { weblog_title => 'bench', user_name => 'anna', admin_password => PASSWORD,
        admin_password2 => PASSWORD, admin_email => 'anna@example.com', blog_public => 0, language => '', Submit => 'Install' });
    my $reply = ask($port, POST => '/wp-login.php', form => { log => 'anna', pwd => PASSWORD, 'wp-submit' => 'Log In', testcookie => 1 },
        headers => { Cookie => 'wordpress_test_cookie=WP%20Cookie%20check' });
    my $cookie = cookies_of($reply);
    $cookie =~ /wordpress_logged_in/ or die "no session: $reply->{status} " . substr($reply->{body}, 0, 2000) . slurp("$dir/error.log") . slurp($server->dir . '/logs/error_log') . "\n";
    my $nonce = ask($port, GET => '/wp-admin/admin-ajax.php?action=rest-nonce', headers => { Cookie => $cookie })->{body};
    return { server => $server, process => $process, port => $port, path => '/index.php?rest_route=/wp/v2/users/me&context=edit&_fields=id,username,email',
        headers => { Cookie => $cookie, 'X-WP-Nonce' => $nonce }, wants => qr/"username":"anna"/,
        note => 'WordPress ' . version_of('wordpress') . ", PHP-FPM $php with opcache, behind httpd" };
}

1;
