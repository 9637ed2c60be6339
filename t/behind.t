# What is behind the guard: PHP-FPM, CGI, SSI, proxied applications, WebSockets, a cache. Who asks is told to them, and to
# nobody by mistake.
# matrix: all
use lib 't/lib';
use Account::Backends qw(readme_blocks);
use Account::Process 'free_port';
use Account::Test;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time sleep);

my $echo = Account::Backends::echo();
my $php = Account::Backends::php();
my $mpm = $ENV{ACCOUNT_MPM} || 'event';
my ($behind_php) = map { $_->[1] } readme_blocks('Behind PHP');
my ($behind_proxy, $verifier) = map { $_->[1] } readme_blocks('Behind a proxied application');
my $fpm = 'proxy:unix:' . $php->socket . '|fcgi://localhost/';

# README's blocks with the paths of here; each must occur.
sub here {
    my ($text, %with) = @_;
    for my $theirs (sort keys %with) { $text =~ s/\Q$theirs\E/$with{$theirs}/g or die "README has no $theirs\n" }
    return $text;
}

my $dump = <<'END';
<?php
header('Content-Type: application/json');
header('Content-Length-Of-Body: ' . strlen($body = file_get_contents('php://input')));
if (isset($_GET['session'])) { session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; setcookie('own', 'php'); }
echo json_encode(['server' => array_filter($_SERVER, 'is_string'), 'cookie' => $_COOKIE, 'body' => base64_encode($body),
    'n' => $_SESSION['n'] ?? 0]);
END
my $cgi = <<'END';
#!/usr/bin/perl
use JSON::PP;
read STDIN, my $body, $ENV{CONTENT_LENGTH} || 0;
print "Content-Type: application/json\n\n", JSON::PP->new->latin1->encode({ server => {%ENV}, body => $body });
END
my $guard = "AuthType Account\nRequire account\n";
my $server = Account::Server->new(sql_counts => 1, 
    modules => [ qw(include proxy proxy_http proxy_fcgi proxy_wstunnel proxy_balancer lbmethod_byrequests slotmem_shm cgid cache cache_disk) ],
    mounts  => "AccountMount /user mmall\n",
    files   => {
        (map { ("htdocs/$_/dump.php" => $dump) } qw(members free wp match errors staff)),
        (map { ("htdocs/$_/dump.cgi" => $cgi) } qw(members free)),
        'htdocs/wp/.htaccess' => "RewriteEngine On\nRewriteBase /wp/\nRewriteRule ^dump\\.php\$ - [L]\n"
            . "RewriteCond %{REQUEST_FILENAME} !-f\nRewriteCond %{REQUEST_FILENAME} !-d\nRewriteRule . /wp/dump.php [L]\n",
        'htdocs/members/page.shtml' => "user=<!--#echo var=\"REMOTE_USER\" --> role=<!--#echo var=\"ACCOUNT_ROLE\" -->\n"
            . "free=<!--#include virtual=\"/free/page.shtml\" -->\n",
        'htdocs/free/page.shtml' => "user=<!--#echo var=\"REMOTE_USER\" --> role=<!--#echo var=\"ACCOUNT_ROLE\" -->\n",
        'htdocs/members/file.txt' => join('', map { "line $_ of the file\n" } 1 .. 200),
        'htdocs/wp/style.css' => "a { }\n",
    },
    conf => "<Location \"/static.txt\">\nHeader set X-Session \"expr=%{ACCOUNT:session}\"\n</Location>\n" . here($behind_php, '/var/www/shop/members' => '@HTDOCS@/members', 'proxy:unix:/run/php/php-fpm.sock|fcgi://localhost/' => $fpm)
        . here($behind_proxy, 'AccountHeaderKey /etc/apache2/header.key' => '', 'http://127.0.0.1:3000/app/' => 'http://127.0.0.1:' . $echo->port . '/app/')
        . join('', map { "<Location \"/$_\">\n$guard</Location>\n" } qw(wp match balance ws up cached members/php))
        . <<"END" . <<'END',
ProxyPass "/free/app/" "http://127.0.0.1:@{[$echo->port]}/free/"
ProxyPass "/open/" "http://127.0.0.1:@{[$echo->port]}/open/"
ProxyPass "/cached/" "http://127.0.0.1:@{[$echo->port]}/cached/"
ProxyPass "/ws/" "ws://127.0.0.1:@{[$echo->port]}/ws/"
ProxyPass "/up/" "http://127.0.0.1:@{[$echo->port]}/up/" upgrade=websocket
<Proxy "balancer://apps">
    BalancerMember "http://127.0.0.1:@{[$echo->port]}" max=2
</Proxy>
ProxyPass "/balance/" "balancer://apps/balance/"
ProxyPassMatch "^/match/(.*\\.php)\$" "unix:@{[$php->socket]}|fcgi://localhost\@HTDOCS\@/match/\$1"
END
<Location "/open">
    AuthType Account
    Require all granted
</Location>
<Directory "@HTDOCS@">
    Options +Includes +ExecCGI
    AddHandler cgi-script .cgi
    AddOutputFilter INCLUDES .shtml
</Directory>
<Location "/staff">
    AuthType Account
    Require account-role admin
    ErrorDocument 403 /errors/dump.php?forbidden
    ErrorDocument 404 /errors/dump.php?missing
</Location>
CacheRoot "@DIR@/tmp"
CacheEnable disk "/cached/"
CacheEnable disk "/free/app/"
CacheEnable disk "/open/"
CacheIgnoreNoLastMod On
CacheDefaultExpire 600
END
);
utime 1e9, 1e9, $server->dir . '/htdocs/members/file.txt';    # an entity tag of a file just made is weak
chmod 0755, glob $server->dir . '/htdocs/*/*.cgi';
$server->start;

# --- people ---

sub login {
    my ($name, $on) = @_;
    my $jar = Account::Jar->new;
    is(($on // $server)->post('/user/login.do', form => { username => $name, password => canary("Sesame-$name-behind") }, cookie => $jar)->{json}{status},
        0, "$name is signed in");
    return $jar;
}

sub person {
    my ($name, $on) = @_;
    ($on // $server)->post('/user/register.do', form => { username => $name, password => canary("Sesame-$name-behind"), email => "$name\@example.com" });
    return login($name, $on);
}
my %jar = map { $_ => person($_) } qw(anna bert cleo);
$server->sql(q{UPDATE account SET role = 'admin', attributes = '{"nickname":"安娜 50%"}', email_verified = 1, mobile = '+8613800138001', mobile_verified = 1 WHERE user_name = 'anna'});
my %id = map { $_ => $server->sql("SELECT id FROM account WHERE user_name = '$_'") } keys %jar;

# What is told of them: by variable, and by header.
my %session;
sub told {
    my ($name) = @_;
    my $is_anna = $name eq 'anna';
    my $session = $session{ $jar{$name}->header } //= $server->get('/static.txt', cookie => $jar{$name})->{headers}{'x-session'}[0];
    my %variables = (ACCOUNT_ID => $id{$name}, ACCOUNT_USER => $name, ACCOUNT_NAME => $is_anna ? '安娜 50%' : $name,
        ACCOUNT_ROLE => $is_anna ? 'admin' : 'normal_user', ACCOUNT_EMAIL => "$name\@example.com",
        ACCOUNT_EMAIL_VERIFIED => $is_anna ? 'true' : 'false', $is_anna ? (ACCOUNT_MOBILE => '+8613800138001') : (),
        ACCOUNT_MOBILE_VERIFIED => $is_anna ? 'true' : 'false', ACCOUNT_SESSION => $session);
    my %headers = map { my $header = $_; $header =~ s/ACCOUNT/X-ACCOUNT/; $header =~ tr/_/-/; (lc $header => $variables{$_}) } keys %variables;
    $headers{'x-account-name'} = '%E5%AE%89%E5%A8%9C 50%25' if $is_anna;
    return (\%variables, \%headers);
}

# What a script got: its variables of ours, the headers of ours, and who asks by CGI's own variables.
sub seen_by_script {
    my ($r) = @_;
    my $got = $r->{json}{server} || {};
    return ({ map { $_ => $got->{$_} } grep { /^ACCOUNT_/ } keys %$got },
        { map { my $name = lc $_; $name =~ s/^http_//; $name =~ tr/_/-/; $name => $got->{$_} } grep { /^HTTP_X_ACCOUNT_/ } keys %$got },
        join '/', map { $_ // '' } @$got{qw(REMOTE_USER AUTH_TYPE)});
}

sub headers_of {
    my ($got) = @_;
    return { map { lc $_->[0] => $_->[1] } grep { $_->[0] =~ /^x.account/i } Account::Backends::lines_of($got->{head}) };
}

# --- scripts ---

for my $path ('/members/dump.php', '/members/dump.cgi', '/wp/dump.php', '/wp/a/front/controller?x=1', '/match/dump.php') {
    $server->get($path)->{status} == 401 or fail("$path: 401 for nobody");
    for my $name (qw(anna bert)) {
        my ($variables, $headers) = told($name);
        my $r = $server->get($path, cookie => $jar{$name}, headers => { 'X-Account-Role' => 'root', X_Account_Mobile => 1, 'Account-Role' => 'x' });
        my ($has, $sent, $who) = seen_by_script($r);
        is($who, "$name/Account", "$path: REMOTE_USER and AUTH_TYPE of $name") or diag($r->{status}, $r->{text});
        is_deeply($has, $variables, "$path: variables of $name");
        is_deeply($sent, $headers, "$path: headers of $name");
        unlike($r->{text}, qr/login_token/, "$path: no session cookie arrives");
    }
}
for my $path ('/free/dump.php', '/free/dump.cgi') {
    for my $name (undef, 'anna') {
        my $r = $server->get($path, $name ? (cookie => $jar{$name}) : (), headers => { 'X-Account-Role' => 'forged' });
        is_deeply([ seen_by_script($r) ], [ {}, {}, '/' ], "$path, without a guard: nothing of " . ($name // 'nobody'));
        is($r->{status}, 200, "$path: answers");
        unlike($r->{text}, qr/forged|login_token/, 'and knows neither role nor session');
    }
}
is($server->get('/wp/style.css', cookie => $jar{bert})->{text}, "a { }\n", 'a file beside a front controller');
is($server->get('/wp/style.css')->{status}, 401, 'is guarded too');

# a script's own cookies, bodies
my $mixed = Account::Jar->new(%{ $jar{bert} });
my @visits = map { $server->get('/members/dump.php?session', cookie => $mixed) } 1 .. 3;
is($visits[2]{json}{n}, 3, 'PHP: a session of its own beside ours');
is_deeply([ sort keys %{ $visits[2]{json}{cookie} } ], [ 'PHPSESSID', 'own' ], 'PHP: gets its own cookies only');
is(scalar @{ $visits[0]{headers}{'set-cookie'} }, 2, 'PHP: both Set-Cookie arrive');
my $body = join '', map { chr($_ % 256) } 0 .. 70_000;
for my $path ('/members/dump.php', '/app/post') {
    my $r = $server->post($path, cookie => $jar{bert}, body => $body, headers => { 'Content-Type' => 'application/octet-stream' });
    my $got = $path =~ /php/ ? MIME::Base64::decode_base64($r->{json}{body} // '') : $r->{json}{body};
    ok($got eq $body, "$path: a body of 70 kB arrives untouched");
    $r = $server->post($path, cookie => $jar{bert}, form => { a => '密', password => 'x y' });
    is($path =~ /php/ ? MIME::Base64::decode_base64($r->{json}{body} // '') : $r->{json}{body}, 'a=%E5%AF%86&password=x%20y', "$path: a form");
}
is($server->get('/members/page.shtml', cookie => $jar{anna})->{text}, "user=anna role=admin\nfree=user=anna role=admin\n\n",
    'SSI: variables, inherited by what is included') or 1;
is($server->get('/free/page.shtml', cookie => $jar{anna})->{text}, "user=(none) role=(none)\n", 'SSI without a guard: none');

# --- error documents ---

my $r = $server->get('/staff/dump.php', cookie => $jar{bert});
is($r->{status}, 403, 'a role that bert lacks');
is($r->{json}{server}{REDIRECT_STATUS}, 403, 'the error document is a script');
is_deeply((seen_by_script($r))[1], {}, 'which has no guard, and no headers');
$r = $server->get('/staff/none', cookie => $jar{anna});
is($r->{json}{server}{QUERY_STRING}, 'missing', '404 of a guarded place');
is_deeply((seen_by_script($r))[1], {}, 'and the headers of whom it knew do not go on to an unguarded place');

# --- a proxied application ---

for my $name (qw(anna bert cleo)) {
    my (undef, $headers) = told($name);
    for my $path ('/app/x', '/open/x', '/balance/x') {
        my $r = $server->get($path, cookie => $jar{$name}, headers => { 'X-Account-Id' => 99, Connection => 'close, X-Account-Id, x-account-role' });
        is_deeply(headers_of($r->{json}), $headers, "$path: headers of $name") or diag($r->{status}, $r->{text});
        unlike($r->{text}, qr/login_token|account_device/, "$path: no session cookie");
    }
}
for my $name (undef, 'bert') {
    $r = $server->get('/free/app/x', $name ? (cookie => $jar{$name}) : (), headers => { 'X-Account-Id' => 99 });
    is_deeply(headers_of($r->{json}), {}, 'without a guard: no headers');
}
is_deeply(headers_of($server->get('/open/y')->{json}), {}, 'Require all granted, nobody: no headers');
$echo->forget;
is($server->get('/app/x')->{status}, 401, 'nobody: 401');
is(scalar($echo->got), 0, 'and the application was not asked');
$r = $server->get('/app/x?cookie', cookie => Account::Jar->new(%{ $jar{bert} }, theirs => 'crumbs'));
is_deeply([ sort keys %{ $r->{cookies} } ], [qw(back end)], "the application's own cookies: out");
like($r->{json}{head}, qr/^Cookie: theirs=crumbs\r$/m, 'and in');
is($server->get('/app/x?status=418', cookie => $jar{bert})->{status}, 418, 'its status');
for my $method (qw(HEAD PUT DELETE PATCH OPTIONS)) {
    is($server->request($method, '/app/x', cookie => $jar{bert})->{status}, 200, "$method, signed in");
    is($server->request($method, '/app/x')->{status}, 401, "$method, nobody");
}
my $expecting = join "\r\n", 'POST /app/slow HTTP/1.1', 'Host: 127.0.0.1:' . $server->port, 'Expect: 100-continue', 'Connection: close';
for my $row ([ 'nobody', '', qr/\AHTTP\/1\.1 401 / ], [ 'bert', 'Cookie: ' . $jar{bert}->header . "\r\n", qr/\AHTTP\/1\.1 100 .*HTTP\/1\.1 200 /s ]) {
    my ($who, $cookie, $reply) = @$row;
    like($server->raw("$expecting\r\n${cookie}Content-Length: 5\r\n\r\nhello"), $reply, "100-continue: $who");
    like($server->raw("$expecting\r\n${cookie}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), $reply, "100-continue, chunks: $who");
}

# --- files ---

my $file = slurp($server->dir . '/htdocs/members/file.txt');
$r = $server->get('/members/file.txt', cookie => $jar{bert});
ok($r->{body} eq $file, 'a guarded file');
like(join(',', @{ $r->{headers}{'cache-control'} || [] }), qr/\bprivate\b/, 'is private');
my ($tag, $date) = map { $r->{headers}{$_}[0] } qw(etag last-modified);
my @file = (
    [ 'HEAD',         HEAD => {},                                          200, '' ],
    [ 'a range',      GET  => { Range => 'bytes=5-9' },                    206, substr $file, 5, 5 ],
    [ 'If-None-Match', GET => { 'If-None-Match' => $tag },                 304, '' ],
    [ 'If-Modified-Since', GET => { 'If-Modified-Since' => $date },        304, '' ],
    [ 'If-Match',     GET  => { 'If-Match' => '"other"' },                 412, undef ],
    [ 'If-Range',     GET  => { 'If-Range' => $tag, Range => 'bytes=0-3' }, 206, substr $file, 0, 4 ],
);
for my $row (@file) {
    my ($what, $method, $headers, $status, $body) = @$row;
    my $r = $server->request($method, '/members/file.txt', headers => $headers, cookie => $jar{bert});
    is($r->{status}, $status, "$what: $status");
    is($r->{body}, $body, "$what: the body") if defined $body;
    is($server->request($method, '/members/file.txt', headers => $headers)->{status}, 401, "$what: 401 for nobody");
}

# --- a cache never gives it to somebody else ---

for my $name (qw(anna bert)) {
    my (undef, $headers) = told($name);
    for my $time (1, 2) {
        my $r = $server->get('/cached/page?cache', cookie => $jar{$name});
        is_deeply(headers_of($r->{json}), $headers, "a page that its application calls public: $name gets the own one");
    }
}
is($server->get('/cached/page?cache')->{status}, 401, 'and nobody none');
my @public = map { $server->get('/free/app/page?cache')->{json}{head} } 1, 2;
$echo->forget;
$server->get('/free/app/page?cache');
is(scalar($echo->got), 0, 'without a guard the same page comes from the cache, so there is one');
is_deeply(headers_of($server->get('/open/page?cache', cookie => $jar{anna})->{json}), (told('anna'))[1], 'where all may: anna first');
is_deeply(headers_of($server->get('/open/page?cache')->{json}), {}, "nobody doesn't get hers");

# --- connections to the application are shared, identities are not ---

my %expected = map { $_ => (told($_))[1] } keys %jar;
my @wrong = map { @$_ } concurrent(6, sub {
    my ($i) = @_;
    my @bad;
    for my $n (1 .. 25) {
        my $name = (qw(anna bert cleo))[ ($i + $n) % 3 ];
        my $got = $server->get("/balance/$name/$n", cookie => $jar{$name})->{json};
        push @bad, "$name/$n" if $got->{head} !~ m{\AGET /balance/$name/$n } || JSON::PP->new->canonical->encode(headers_of($got))
            ne JSON::PP->new->canonical->encode($expected{$name});
    }
    return \@bad;
}, 120);
is_deeply(\@wrong, [], '150 requests of three people at once: each is told as who it is');
my %per_connection;
push @{ $per_connection{ $_->{connection} } }, headers_of($_)->{'x-account-user'} for grep { $_->{head} =~ m{ /balance/} } $echo->got;
ok((grep { my %names = map { $_ => 1 } @$_; keys %names > 1 } values %per_connection), 'connections were shared by several people');

# --- WebSockets ---

for my $path ('/ws/chat', '/up/chat') {
    for my $name (undef, 'bert') {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port, Timeout => 5);
        print $socket join("\r\n", "GET $path HTTP/1.1", 'Host: 127.0.0.1:' . $server->port, 'Upgrade: websocket',
            'Connection: Upgrade, X-Account-Role', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', 'X-Account-User: root',
            $name ? 'Cookie: ' . $jar{$name}->header : (), '', '');
        my $got = '';
        my $more = sub {
            my ($until) = @_;
            my $end = time + 10;
            while ($got !~ $until && time < $end && IO::Select->new($socket)->can_read($end - time)) { sysread $socket, $got, 4096, length $got or last }
        };
        if (!$name) {
            $more->(qr/\r\n\r\n/);
            like($got, qr/\AHTTP\/1\.1 401 /, "$path: nobody: 401, no upgrade");
            next;
        }
        $more->(qr/\r\n\r\n.*\n/s);
        like($got, qr/\AHTTP\/1\.1 101 /, "$path: $name: 101");
        my ($seen) = $got =~ /^(\{.*\})$/m;
        is_deeply(headers_of(JSON::PP::decode_json($seen // '{"head":""}')), (told($name))[1], "$path: with the headers of $name");
        syswrite $socket, 'hello there';
        $more->(qr/echo:hello there/);
        like($got, qr/echo:hello there/, "$path: and bytes go through");
    }
}

# --- at once, in every process ---

sub in_all { my ($count, %opt) = @_; my %seen; $seen{ $server->get('/members/dump.php', %opt)->{status} }++ for 1 .. $count; return join ' ', sort keys %seen }
my @children = $server->child_pids;
cmp_ok(scalar @children, '>=', 2, 'several processes');
is(in_all(12, cookie => $jar{cleo}), '200', 'cleo is in');
$server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'cleo'");
my %roles = map { ($server->get('/members/dump.php', cookie => $jar{cleo})->{json}{server}{ACCOUNT_ROLE} => 1) } 1 .. 12;
is(join(' ', keys %roles), 'admin', 'a role that changed shows on the very next request, everywhere');
my $before = $jar{cleo}->header;
$server->post('/user/logout.do', cookie => $jar{cleo});
is(in_all(12, cookie => $before), '401', 'logged out: everywhere, on the next request');
$jar{cleo} = login('cleo');
is(in_all(12, cookie => $jar{cleo}), '200', 'and in again');
$server->sql("UPDATE account SET status = 'disabled' WHERE user_name = 'cleo'");
is(in_all(12, cookie => $jar{cleo}), '401', 'an account that was closed: everywhere, on the next request');

# --- other prefixes, other names ---

my $other = Account::Server->new(sql_counts => 1, modules => [qw(proxy proxy_http)], mounts => "AccountMount /user mmall\n",
    db => $server->{db}, $server->{db} eq 'mysql' ? (dbname => $server->{dbname}, mariadb => $server->{mariadb}) : (),
    conf => "AccountHeaderPrefix Remote-Person-\n" . join('', map {
        "<Location \"/by-$_\">\n${guard}AccountUserField $_\nProxyPass http://127.0.0.1:@{[$echo->port]}/by\n</Location>\n" } qw(login_name user_name email mobile id)),
    vhost => join '', "AccountHeaderPrefix off\nAccountCookieRemove off\nProxyPass /off http://127.0.0.1:@{[$echo->port]}/off\n<Location /off>\n$guard</Location>\nServerName off.test\n");
# the same accounts
if ($server->{db} eq 'sqlite3') { $other->{conf} =~ s/\A/AccountDatabase sqlite3 $server->{dir}\/account.db\n/ }
spew($other->dir . '/account.key', slurp($server->dir . '/account.key'), 0600);
$other->{vhost} = [ "ServerName main.test\n", $other->{vhost} ];
$other->write_conf->start;
my %by = (login_name => 'anna', user_name => 'anna', email => 'anna@example.com', mobile => '+8613800138001', id => $id{anna});
for my $field (sort keys %by) {
    my $got = $other->get("/by-$field/", cookie => $jar{anna}, headers => { 'Remote_Person_Role' => 'root', 'X-Account-Role' => 'mine' })->{json};
    my %lines = map { lc $_->[0] => $_->[1] } Account::Backends::lines_of($got->{head} // '');
    is($lines{'remote-person-user'}, $by{$field}, "AccountUserField $field");
    is($lines{'remote-person-role'}, 'admin', 'AccountHeaderPrefix Remote-Person-');
    ok(!(grep { /remote_person/ } keys %lines), 'under that prefix nothing else');
    is($lines{'x-account-role'}, 'mine', 'X-Account- means nothing then');
}
for my $field (sort keys %by) {
    my $is = $other->get("/by-$field/", cookie => $jar{bert})->{status};
    is($is, $field =~ /email|mobile/ ? 403 : 200, "AccountUserField $field of who has not proven it: $is");
}
my $off = $other->get('/off', cookie => $jar{anna}, headers => { Host => 'off.test', 'X-Account-Role' => 'mine' })->{json}{head};
is_deeply([ map { $_->[0] } grep { $_->[0] =~ /^(x-account|remote-person)/i } Account::Backends::lines_of($off // '') ], ['X-Account-Role'],
    'AccountHeaderPrefix off: none set, none removed');
like($off, qr/^Cookie: .*mmall_login_token=/m, 'AccountCookieRemove off: the cookie arrives');
for my $row ([ 'X Account', qr/takes one argument/ ], map { [ $_, qr/is no beginning of a header/ ] } 'X_Account_', 'X-', '9-Account-', 'X-Account', '"X:"') {
    my ($status, $said) = configtest("AccountHeaderPrefix $row->[0]\n");
    like($said, $row->[1], "AccountHeaderPrefix $row->[0] is refused");
}
$other->stop;

# --- signed, for an application on another machine ---

my $key = $server->dir . '/header.key';
my $secret = join '', map { chr int rand 256 } 1 .. 40;
spew($key, MIME::Base64::encode_base64($secret, '') . "\n", 0600);
my $far = Account::Server->new(sql_counts => 1, account => 0, db => 'none', modules => [qw(proxy proxy_fcgi)],
    conf => "<FilesMatch \"\\.php\$\">\nSetHandler \"$fpm\"\n</FilesMatch>\n",
    files => { 'htdocs/app.php' => "<?php\n$verifier\necho json_encode(account(base64_decode(file('$key')[0])));\n" })->start;
is(scalar(() = $verifier =~ /\n/g) <= 14, 1, 'README: a short verifier');
$server->stop;
$server->{conf} .= here($behind_proxy, '/etc/apache2/header.key' => $key, '/app/' => '/far/', 'http://127.0.0.1:3000' => 'http://127.0.0.1:' . $far->port)
    . "ProxyPass /seen/ http://127.0.0.1:@{[$echo->port]}/\n<Location /seen/>\n$guard</Location>\n";
$server->{conf} =~ s{(ProxyPass http://127\.0\.0\.1:\d+)/far/}{$1/};
$server->write_conf->start;
my %as = map { s/^x-account-//r => $_ } keys %{ (told('anna'))[1] };
my $account = $server->get('/far/app.php', cookie => $jar{anna})->{json};
is_deeply({ map { lc $_ => $account->{$_} } keys %{ $account || {} } }, { map { $_ => $_ eq 'name' ? '安娜 50%' : (told('anna'))[1]{"x-account-$_"} } keys %as },
    'README: the verifier in PHP takes what the server says');
is($server->get('/far/app.php')->{status}, 401, 'nobody: 401');
my @lines = grep { $_->[0] =~ /^x-account-/i } Account::Backends::lines_of($server->get('/seen/x', cookie => $jar{bert})->{json}{head});
my @names = map { $_->[0] } @lines;
my %sent = map { $_->[0] => $_->[1] } @lines;
my $takes = sub { my ($headers) = @_; return $far->get('/app.php', headers => $headers)->{json} };
is($takes->({%sent})->{User}, 'bert', 'the same headers, a moment later: taken');

use Digest::SHA 'hmac_sha256_hex';
my $sign = sub {
    my ($with, $order, %said) = @_;
    return hmac_sha256_hex(join('', "$said{'X-Account-Timestamp'}\n", map { "$_: $said{\"X-Account-$_\"}\n" } grep { exists $said{"X-Account-$_"} } @$order), $with);
};
my @order = qw(Id User Name Role Email Email-Verified Mobile Mobile-Verified Session);
is($sent{'X-Account-Signature'}, $sign->($secret, \@order, %sent), 'Perl finds the same signature as README tells');
cmp_ok(abs($sent{'X-Account-Timestamp'} - time), '<', 60, 'the timestamp is now');
ok(!defined $takes->({ %sent, $_ => $sent{$_} . '1' }), "$_ changed: refused") for @names;
for my $name (@names) { my %less = %sent; delete $less{$name}; ok(!defined $takes->(\%less), "without $name: refused") }
ok(!defined $takes->({ %sent, 'X-Account-Mobile' => '123' }), 'one more: refused');
ok(!defined $takes->({ %sent, 'X-Account-Role' => 'admin', 'X-Account-Signature' => $sign->('another key' x 4, \@order, %sent, 'X-Account-Role' => 'admin') }), 'another key: refused');
ok(!defined $takes->({ %sent, 'X-Account-Signature' => $sign->($secret, [ reverse @order ], %sent) }), 'another order: refused');
for my $away (-3600, -61, 75) {
    my %then = (%sent, 'X-Account-Timestamp' => int(time) + $away);
    ok(!defined $takes->({ %then, 'X-Account-Signature' => $sign->($secret, \@order, %then) }), "a signature of $away seconds from now: refused");
}
ok(!defined $takes->({}), 'no headers: refused');
my ($status, $said) = configtest("AccountHeaderKey \@DIR\@/none.key\n");
like($said, qr/AccountHeaderKey: .*none\.key/, 'a key file that is not there: said at configtest');

# --- the database goes away ---

my $mariadb = Account::MariaDB->new->start;
my $dying = Account::Server->new(sql_counts => 1, db => 'mysql', mariadb => $mariadb, modules => [qw(proxy proxy_http)], allow => qr/./,
    conf => "ProxyPass /app/ http://127.0.0.1:@{[$echo->port]}/app/\n<Location /app>\n$guard</Location>\n"
        . "ProxyPass /role/ http://127.0.0.1:@{[$echo->port]}/role/\n<Location /role>\nRequire expr \"%{ACCOUNT:role} != 'blocked'\"\n</Location>\n"
        . "ProxyPass /free/ http://127.0.0.1:@{[$echo->port]}/free/\n")->start;
my $dora = person('dora', $dying);
is($dying->get('/app/x', cookie => $dora)->{status}, 200, 'dora is in');
$mariadb->kill9;
$echo->forget;
for my $path ('/app/x', '/role/x') {
    my $r = $dying->get($path, cookie => $dora);
    is($r->{status}, 503, "$path without a database: 503");
    like($r->{headers}{'retry-after'}[0] // '', qr/\A[1-9]\d*\z/, 'with Retry-After');
    cmp_ok($r->{seconds}, '<', 4, 'soon');
}
is(scalar($echo->got), 0, 'and the application was not asked');
is($dying->get('/free/x', cookie => $dora)->{status}, 200, 'what has no guard goes on');
$mariadb->start;
ok(wait_until(15, sub { $dying->get('/app/x', cookie => $dora)->{status} == 200 }), 'the database is back, and dora in');
done();
