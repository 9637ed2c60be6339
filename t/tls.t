# matrix: db
#
# Beside mod_ssl, mod_http2 and mod_remoteip: sessions over TLS and HTTP/2, many streams of one connection, and whose
# address a request comes from.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::H2;
use Account::Peers;
use Account::Process 'free_port';

my $mpm  = 'event';    # mod_http2 does not work with prefork
my $dir  = temp_dir('tls');
my $port = free_port();
Account::Peers::make_certificate("$dir/pem");
my $password = canary('tls-secret-1');

my $server = Account::Server->new(
    mpm     => $mpm,
    modules => [ 'ssl', 'http2' ],
    files   => { 'htdocs/members/page.html' => 'for members', 'htdocs/open.html' => 'open' },
    conf    => <<"CONF" =~ s/\@TLS\@/$port/gr,
Listen 127.0.0.1:\@TLS\@
Protocols h2c http/1.1
LogFormat "%{c}L %H %s %{user}^ac %U" connections
CustomLog "\@DIR\@/logs/connections" connections
<Location "/members">
    AuthType Account
    AuthName members
    Require account
    Header always set X-Who "expr=%{ACCOUNT:user}"
</Location>
<VirtualHost 127.0.0.1:\@TLS\@>
    ServerName 127.0.0.1
    SSLEngine On
    SSLCertificateFile "$dir/pem.crt"
    SSLCertificateKeyFile "$dir/pem.key"
    Protocols h2 http/1.1
    H2MaxSessionStreams 200
</VirtualHost>
CONF
)->start;
my $tls = "https://127.0.0.1:$port";

# --- curl: its options as a file, one transfer after another or many at once ---

my $runs = 0;
# [url path, option => value, ...] -> {status, version, connects, body, headers => {lower-case => [..]}}
sub curl {
    my ($global, @transfers) = @_;
    my $at = "$dir/curl." . ++$runs;
    my @parts = map {
        my ($path, @options) = @{ $transfers[$_] };
        my $text = qq(url = "$tls$path"\noutput = "$at.$_.body"\ndump-header = "$at.$_.head"\ncacert = "$dir/pem.crt"\nmax-time = 30\n)
            . qq(write-out = "$_ %{http_code} %{http_version} %{num_connects}\\n"\n);
        while (my ($name, $value) = splice @options, 0, 2) { $text .= qq($name = "$value"\n) }
        $text;
    } 0 .. $#transfers;
    spew("$at.conf", "silent\n$global\n" . join("next\n", @parts), 0600);
    my $run = Account::Process->spawn(command => [ 'curl', '-q', '-K', "$at.conf" ], output => "$at.out", limit => 60);
    $run->wait_for(70);
    my %line = map { /^(\d+) (\d+) (\S+) (\d+)$/ ? ($1 => [ $2, $3, $4 ]) : () } split /\n/, slurp("$at.out");
    return map {
        my $r = Account::Client::parse(GET => "HTTP/1.1 " . (slurp("$at.$_.head") =~ s/\AHTTP\/\S+ (\d+).*?\r\n/$1 x\r\n/r)
            =~ s/^(?:content-length|transfer-encoding):.*?\r\n//gmir . slurp("$at.$_.body"));
        my ($status, $version, $connects) = @{ $line{$_} || [ 0, 0, 0 ] };
        +{ %$r, status => $status, version => $version, connects => $connects };
    } 0 .. $#transfers;
}

# --- one browser ---

is($server->post('/user/register.do', form => { username => 'anna', password => $password, email => 'anna@example.com' })->{json}{status},
    0, 'registered');
my ($login) = curl('http2', [ '/user/login.do', data => "username=anna&password=$password" ]);
is("$login->{status} $login->{version}", '200 2', 'TLS, HTTP/2');
is($login->{json}{msg}, '登录成功', 'logs in');
my $cookie = $login->{cookies}{mmall_login_token};
canary($cookie->{value});
is(join(' ', map { $cookie->{$_} // 'no' } qw(secure httponly samesite path)), '1 1 Lax /', 'the cookie is for TLS only');
ok($login->{cookies}{account_device}{secure}, "and the device's is too");
my ($login1) = curl('http1.1', [ '/user/login.do', data => "username=anna&password=$password" ]);
is("$login1->{version} " . ($login1->{cookies}{mmall_login_token}{secure} // 'no'), '1.1 1', 'so it is by HTTP/1.1');
canary($login1->{cookies}{mmall_login_token}{value});
my $plain = $server->post('/user/login.do', form => { username => 'anna', password => $password });
ok(!$plain->{cookies}{mmall_login_token}{secure}, 'without TLS it could not be');
my ($closed, $open, $info) = curl('http2', ['/members/page.html'],
    [ '/members/page.html', cookie => "mmall_login_token=$cookie->{value}" ],
    [ '/user/get_user_info.do', cookie => "mmall_login_token=$cookie->{value}" ]);
is("$closed->{status} $closed->{version} " . ($closed->{headers}{'www-authenticate'} || ['none'])->[0], '401 2 Account realm="members"',
    'a guarded folder is closed');
is("$open->{status} $open->{version} $open->{body}", '200 2 for members', 'and opens');
is($info->{json}{data}{username}, 'anna', 'the session is known');
my ($cross, $own, $other_port) = map { my $origin = $_; curl('http2', [ '/user/logout.do', 'request' => 'POST', header => "Origin: $origin",
    cookie => "mmall_login_token=x" ]) } 'https://evil.test', $tls, 'http://127.0.0.1:' . $server->port;
is("$cross->{status} $own->{status} $other_port->{status}", '403 200 403', 'Origin: this site is https and this port');

# --- many at once, on one connection ---

my @people = map { "person$_" } 1 .. 12;
my %session;
for my $name (@people) {
    $server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" });
    $session{$name} = canary($server->post('/user/login.do', form => { username => $name, password => $password })
        ->{cookies}{mmall_login_token}{value});
}
my (@transfers, @whose);
for my $round (1 .. 8) {
    for my $name (@people, undef) {
        my @cookie = $name ? (cookie => "mmall_login_token=$session{$name}") : ();
        push @transfers, map { [ $_, @cookie ] } '/members/page.html', '/user/get_user_info.do', '/open.html';
        push @whose, ($name) x 3;
    }
}
my @replies = curl("http2\nparallel\nparallel-max = 60", @transfers);
my @wrong = grep {
    my ($r, $name, $path) = ($replies[$_], $whose[$_], $transfers[$_][0]);
    my $said = $path =~ /members/ ? "$r->{status} " . ($r->{headers}{'x-who'} || [''])->[0]
        : $path =~ /info/ ? "$r->{status} " . ($r->{json}{data}{username} // '')
        : "$r->{status} $r->{body}" . ($r->{headers}{'set-cookie'} ? ' and a cookie' : '');
    my $want = $path =~ /members/ ? ($name ? "200 $name" : '401 ') : $path =~ /info/ ? '200 ' . ($name // '') : '200 open';
    $said ne $want && diag("$path for " . ($name // 'nobody') . ": $said");
} 0 .. $#replies;
is(scalar(@wrong), 0, @replies . ' requests: each gets its own session, and no other');
is(scalar(grep { $_->{version} ne '2' } @replies), 0, 'all by HTTP/2');
my $connects = 0;
$connects += $_->{connects} for @replies;
cmp_ok($connects, '<=', 2, 'on one connection, or nearly');    # curl may open another before it knows of HTTP/2

# --- frames as no browser would send them ---

sub head {
    my ($method, $path, @more) = @_;
    return [ ':method' => $method, ':scheme' => 'http', ':authority' => '127.0.0.1:' . $server->port, ':path' => $path,
        'user-agent' => 'account-test', @more ];
}
my @form = ('content-type' => 'application/x-www-form-urlencoded');
sub cookie_of { my ($name) = @_; return (cookie => "mmall_login_token=$session{$name}") }
sub who { my ($r) = @_; return $r->{body} =~ /"username":"(\w+)"/ ? $1 : $r->{status} ? 'nobody' : 'reset' }

{
    my $h2 = Account::H2->new($server->port);
    $h2->headers(1, head(POST => '/user/get_user_info.do', @form, cookie_of('person1')));
    $h2->headers(3, head(POST => '/user/get_user_info.do', @form, cookie_of('person2')));
    $h2->headers(5, head(POST => '/user/get_user_info.do', @form));
    $h2->data($_, 'a=') for 3, 1, 5;
    $h2->headers(7, head(GET => '/members/page.html', cookie_of('person3')), end => 1);
    $h2->headers(9, head(GET => '/members/page.html'), end => 1);
    $h2->data($_, '1', end => 1) for 5, 3, 1;
    is(join(' ', map { who($h2->reply($_)) } 1, 3, 5), 'person1 person2 nobody', 'streams that take turns: each is whose it is');
    is(join(' ', map { $h2->reply($_)->{status} } 7, 9), '200 401', 'and guarded folders between them');
    $h2->headers(11, head(POST => '/user/get_user_info.do', @form));
    $h2->data(11, 'a=1');
    $h2->headers(11, [ cookie_of('person1') ], end => 1);
    is(who($h2->reply(11)), 'nobody', 'a cookie in trailers is none');
}
for my $case (
    [ 'a cookie in crumbs', 'person4', [ cookie => 'a=1', cookie_of('person4'), cookie => 'b=2' ] ],
    [ 'two sessions in crumbs', 'nobody', [ cookie_of('person4'), cookie_of('person5') ] ],
    [ 'one session twice', 'person4', [ cookie_of('person4'), cookie_of('person4') ] ],
    [ 'trailers that say whose it is', 'person6', [ cookie_of('person6'), @form ], [ 'x-account-user' => 'person7', cookie_of('person7') ] ],
    [ 'trailers with a name of our headers', 'nobody', [@form], [ 'x-account-id' => '1', 'x-account-user' => 'anna' ] ],
    [ 'a second :path', 'reset', [ ':path' => '/user/logout.do', cookie_of('person4') ] ],
    [ ':authority in trailers', 'reset', [ cookie_of('person4'), @form ], [ ':authority' => 'evil.test' ] ],
    [ 'a pseudo-header that there is not', 'reset', [ ':session' => 'x', cookie_of('person4') ] ],
    [ 'a header in capitals', 'reset', [ 'Cookie' => "mmall_login_token=$session{person4}" ] ],
) {
    my ($name, $want, $headers, $trailers) = @$case;
    my $h2 = Account::H2->new($server->port);
    $h2->headers(1, head(($trailers ? 'POST' : 'GET') => '/user/get_user_info.do', @$headers), end => !$trailers);
    if ($trailers) {
        $h2->data(1, 'a=1');
        $h2->headers(1, $trailers, end => 1);
    }
    my $r = $h2->reply(1, 5);
    my $got = $want eq 'reset' && $r->{status} =~ /\A4/ ? 'reset' : who($r);
    is($got, $want, "HTTP/2: $name");
}
is($server->get('/user/get_user_info.do', cookie => "mmall_login_token=$session{person4}")->{json}{data}{username}, 'person4',
    'none of which has ended a session');
{
    my $secret = canary('secret-in-a-path');
    my $h2 = Account::H2->new($server->port);
    $h2->headers(1, head(GET => "/user/login.do?username=anna&password=$secret"), end => 1);
    $h2->headers(3, head(GET => "/user//./login.do?username=anna&password=$secret"), end => 1);
    $h2->headers(5, head(GET => "http://127.0.0.1/user/login.do?username=anna&password=$secret"), end => 1);
    $h2->headers(7, head(GET => '/user/get_user_info.do', host => 'evil.test', cookie_of('person8')), end => 1);
    like($h2->reply($_)->{body}, qr/"status":1/, "a secret in :path, $_: the route answers") for 1, 3;
    like($h2->reply(5)->{status}, qr/\A(?:0|4..)\z/, 'an address with a host in :path is refused');
    like(who($h2->reply(7)), qr/\A(?:person8|nobody|reset)\z/, 'Host beside :authority');
    $server->get('/server-status');
}
my %streams;
$streams{ (split)[0] =~ s/-.*//r }++ for grep { / HTTP\/2\.0 / } split /\n/, slurp($server->dir . '/logs/connections');
cmp_ok((sort { $b <=> $a } values %streams)[0], '>=', 200, 'the log knows of a connection with hundreds of streams');

# --- mod_remoteip: a client's address is what proxies say that are trusted, and nobody else ---

my $behind = Account::Server->new(
    mpm => $mpm, modules => ['remoteip'],
    conf => <<'CONF',
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
RemoteIPTrustedProxy 192.0.2.1
AccountLimit password-address 3/1h
CONF
)->start;
$behind->post('/user/register.do', form => { username => 'anna', password => $password, email => 'anna@example.com' });

# (127.0.0.1 is the proxy, others of 127.0.0.0/8 are clients that connect themselves)
sub try_login {
    my ($secret, $forwarded, %opt) = @_;
    return $behind->post('/user/login.do', form => { username => 'anna', password => $secret },
        headers => { 'X-Forwarded-For' => $forwarded }, %opt);
}
sub address_of {
    my ($name, $want, $forwarded, %opt) = @_;
    my $r = try_login($password, $forwarded, %opt);
    is($r->{json}{msg}, '登录成功', "$name: logs in");
    is($behind->sql('SELECT address FROM account_session ORDER BY created DESC, seen DESC LIMIT 1'), $want, "$name: the session's address");
    $behind->sql('DELETE FROM account_session');
}
address_of('a proxy',                         '203.0.113.7',  '203.0.113.7');
address_of('a proxy, IPv6',                   '2001:db8::7',  '2001:db8::7');
address_of('a proxy, and what the client wrote', '203.0.113.7', '198.51.100.1, 203.0.113.7');
address_of('two proxies',                     '203.0.113.7',  '198.51.100.1, 203.0.113.7, 192.0.2.1');
address_of('a proxy that says nothing',       '127.0.0.1',    undef);
address_of('a proxy that says nonsense',      '127.0.0.1',    'unknown');
address_of('no proxy',                        '127.0.0.2',    '203.0.113.7', from => '127.0.0.2');
address_of('no proxy, but its name',          '127.0.0.2',    '127.0.0.1',   from => '127.0.0.2');

sub wrong_from { my ($forwarded, %opt) = @_; return try_login('a-wrong-password', $forwarded, %opt)->{json}{msg} }
my ($no, $busy) = ('密码错误', '操作过于频繁，请稍后再试');
is(join(' ', map { wrong_from('203.0.113.9') } 1 .. 4), "$no $no $no $busy", 'behind a proxy: a client has its limit');
is(wrong_from('203.0.113.10'), $no, 'behind a proxy: the next client has its own');
is(wrong_from('198.51.100.77, 203.0.113.9'), $busy, 'behind a proxy: what the client writes does not help');
is(join(' ', map { wrong_from("203.0.113.2$_", from => '127.0.0.3') } 1 .. 4), "$no $no $no $busy", 'no proxy: the header changes nothing');
is(wrong_from('203.0.113.30', from => '127.0.0.4'), $no, 'no proxy: another client');

done();
