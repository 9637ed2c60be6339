# What pages of other sites may do: AccountAllowOrigin, preflights, AccountSameSite; and the security headers, which
# every reply has, httpd's own error pages included.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

my $APP = 'https://app.example';
my @CORS = qw(access-control-allow-origin access-control-allow-credentials access-control-expose-headers
    access-control-allow-methods access-control-allow-headers access-control-max-age);

# Each header once: NAME => value, absent ones 'none'.
sub headers { my ($r, @names) = @_; return { map { $_ => join ' / ', @{ $r->{headers}{$_} || ['none'] } } @names } }
my %none = map { $_ => 'none' } @CORS;
my %listed = (%none, 'access-control-allow-origin' => $APP, 'access-control-allow-credentials' => 'true',
    'access-control-expose-headers' => 'Retry-After');

my %program = (
    'cache-control' => 'no-store', 'x-content-type-options' => 'nosniff', 'x-frame-options' => 'DENY',
    'content-security-policy' => "default-src 'none'; frame-ancestors 'none'", 'referrer-policy' => 'no-referrer',
    'cross-origin-resource-policy' => 'same-origin',
);

my $server = Account::Server->new(modules => ['reqtimeout', 'expires', 'auth_basic'], conf => <<"END", vhost => <<'VHOST')->start;
AccountAllowOrigin $APP http://127.0.0.1:3000
AccountAllowOrigin HTTPS://Second.Example:443/
RequestReadTimeout header=3 body=1
LimitRequestLine 2000
Header set X-Frame-Options SAMEORIGIN
Header set Cache-Control "max-age=3600"
Header always set X-Everywhere yes
ExpiresActive On
ExpiresDefault "access plus 1 hour"
RewriteEngine On
RewriteRule ^/user/check_valid - [F]
AccountMount /members mmall
<Location /members>
    AuthType Account
    AuthName members
    Require account
</Location>
AccountMount /basic mmall
<Location /basic>
    AuthType Basic
    AuthName basic
    AuthBasicProvider account
    Require account
</Location>
AccountMount /asked mmall
<Location /asked>
    Header always set X-Who "expr=%{ACCOUNT:user}"
</Location>
<Location /user/get_information.do>
    Require all denied
</Location>
END
ServerName 127.0.0.1:@PORT@
RewriteEngine On
RewriteOptions Inherit
VHOST
my $port = $server->port;

sub ours { my ($r) = @_; return headers($r, sort keys %program) }

# --- listed, unlisted ---

my %user = (username => 'geely', password => canary('geely-Pass-123'));
my %from = (Origin => $APP, 'Sec-Fetch-Site' => 'cross-site', 'Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Dest' => 'empty');
my $r = $server->post('/user/register.do', form => { %user, email => 'geely@example.com' }, headers => {%from});
is($r->{text}, '{"status":0,"msg":"注册成功"}', 'a listed origin registers');
is_deeply(headers($r, @CORS), \%listed, 'its browser may show the reply');
is_deeply(headers($r, qw(vary cross-origin-resource-policy)), { vary => 'Origin', 'cross-origin-resource-policy' => 'cross-origin' },
    'a cache may not, to others');
my $jar = Account::Jar->new;
$r = $server->post('/user/login.do', form => {%user}, headers => {%from}, cookie => $jar);
is($r->{json}{status}, 0, 'logs in');
canary($jar->get('mmall_login_token'));
$r = $server->get('/user/get_user_info.do', headers => {%from}, cookie => $jar);
is($r->{json}{data}{username}, 'geely', 'reads');
is_deeply(headers($r, @CORS), \%listed, 'with the headers');
$r = $server->post('/user/login.do', form => { %user, password => 'wrong-Pass-123' }, headers => {%from});
is($r->{json}{status}, 1, 'a wrong password');
is_deeply(headers($r, @CORS), \%listed, 'has them too');
$r = $server->post('/user/login.do', body => '{', headers => { %from, 'Content-Type' => 'text/plain' });
is($r->{status}, 415, 'a wrong type') or diag($r->{text});
is_deeply(headers($r, @CORS), \%listed, 'has them too');
$r = $server->request(PUT => '/user/login.do', headers => {%from});
is($r->{status}, 405, 'a wrong method');
is_deeply(headers($r, @CORS), \%listed, 'has them too');
for my $second ('http://127.0.0.1:3000', 'https://second.example') {
    $r = $server->get('/user/get_user_info.do', headers => { Origin => $second });
    is_deeply(headers($r, @CORS), { %listed, 'access-control-allow-origin' => $second }, "$second is listed as well");
}
for my $other ('https://evil.example', 'null', 'http://app.example', 'https://app.example:8443', 'https://app.example.evil.example',
    'https://APP.example', 'https://app.example/', "$APP, $APP", '', '*', 'https://xapp.example') {
    $r = $server->get('/user/get_user_info.do', headers => { Origin => $other }, cookie => $jar);
    is_deeply(headers($r, @CORS), \%none, "\"$other\" is not listed");
    is_deeply(headers($r, qw(vary cross-origin-resource-policy)), { vary => 'Origin', 'cross-origin-resource-policy' => 'same-origin' },
        'a cache keeps its reply to itself');
    $r = $server->post('/user/logout.do', headers => { %from, Origin => $other }, cookie => $jar->header);
    is($r->{status}, 403, 'and changes nothing');
    is_deeply(headers($r, @CORS), \%none, 'a refusal has no header of CORS');
}
is($server->get('/user/get_user_info.do', cookie => $jar)->{json}{status}, 0, 'the session is still there');
$r = $server->get('/user/get_user_info.do');
is_deeply(headers($r, @CORS), \%none, 'no Origin: no header');
for ([ 'a form', 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document' ], [ 'no-cors', 'Sec-Fetch-Mode' => 'no-cors' ],
    [ 'an image', 'Sec-Fetch-Dest' => 'image', 'Sec-Fetch-Mode' => 'cors' ], [ 'a prefetch', 'Sec-Purpose' => 'prefetch' ],
    [ 'a frame', 'Sec-Fetch-Dest' => 'iframe', 'Sec-Fetch-Mode' => 'navigate' ]) {
    my ($name, %changed) = @$_;
    $r = $server->post('/user/logout.do', headers => { %from, %changed }, cookie => $jar->header);
    is($r->{status}, 403, "$name of a listed origin changes nothing");
}
is($server->get('/user/get_user_info.do', cookie => $jar)->{json}{status}, 0, 'the session is still there');

# --- preflights ---

my %ask = (Origin => $APP, 'Access-Control-Request-Method' => 'POST', 'Access-Control-Request-Headers' => 'content-type');
sub options { my ($path, %headers) = @_; return $server->request(OPTIONS => $path, headers => {%headers}) }
$r = options('/user/login.do', %ask);
is_deeply([ $r->{status}, $r->{body} ], [ 204, '' ], 'a preflight');
is_deeply(headers($r, @CORS), { %listed, 'access-control-allow-methods' => 'GET, POST', 'access-control-max-age' => '600',
    'access-control-allow-headers' => 'Content-Type, X-Requested-With' }, 'says what the path takes');
is_deeply(ours($r), { %program, 'cross-origin-resource-policy' => 'cross-origin' }, 'with all other headers');
$r = options('/user/get_user_info.do', %ask);
is_deeply(headers($r, 'access-control-allow-methods'), { 'access-control-allow-methods' => 'GET, HEAD, POST' }, 'each path its own');
$r = options('/user/login.do', Origin => $APP);
is($r->{status}, 200, 'OPTIONS that is no preflight');
is_deeply(headers($r, @CORS, 'allow'), { %listed, allow => 'GET, POST, OPTIONS' }, 'says Allow');
for my $other ('https://evil.example', 'null') {
    $r = options('/user/login.do', %ask, Origin => $other);
    is($r->{status}, 200, "a preflight of $other is answered as any OPTIONS");
    is_deeply(headers($r, @CORS, 'allow', 'vary'), { %none, allow => 'GET, POST, OPTIONS', vary => 'Origin' }, 'without CORS');
}
$r = options('/static.txt', %ask);
is_deeply(headers($r, @CORS), \%none, 'what is not ours is not answered by us');
is_deeply(headers($r, 'content-security-policy'), { 'content-security-policy' => 'none' }, 'and has no header of ours');

# --- where somebody must be signed in ---

for my $guard ('/members', '/basic') {
    $r = options("$guard/get_user_info.do", %ask);
    is_deeply([ $r->{status}, headers($r, 'access-control-allow-methods', 'access-control-allow-origin') ],
        [ 204, { 'access-control-allow-methods' => 'GET, HEAD, POST', 'access-control-allow-origin' => $APP } ], "$guard: a preflight, which has no cookie, is answered");
    for ([ 'of another origin', %ask, Origin => 'https://evil.example' ], [ 'of none', 'Access-Control-Request-Method' => 'POST' ], [ 'that is none', Origin => $APP ]) {
        my ($name, %headers) = @$_;
        $r = options("$guard/get_user_info.do", %headers);
        isnt($r->{status}, 204, "$guard: one $name is not");
        is($r->{headers}{'access-control-allow-methods'}, undef, 'nor is it told anything');
    }
    $r = $server->get("$guard/get_user_info.do", headers => { %ask, %from });
    ok($r->{status} == 401 || $r->{json}{status} == 1, "$guard: what comes after it is asked who it is");
    is_deeply(headers($r, 'access-control-allow-origin'), { 'access-control-allow-origin' => $APP }, 'and the refusal may be read');
}
is(options('/members/static.txt', %ask)->{status}, 401, 'what is no route is not answered');
$r = options('/user/get_information.do', %ask);
is($r->{status}, 403, 'nor what is closed to all');
$r = $server->get('/asked/get_user_info.do', cookie => $jar);
is_deeply(headers($r, 'x-who', 'cache-control'), { 'x-who' => 'geely', 'cache-control' => 'no-store' }, 'an expression, asked last, does not let it be stored');

# --- security headers: each once, whatever the rest of the configuration sets ---

my $json = 'Content-Type: application/json';
sub raw {
    my ($method, $path, @lines) = @_;
    my ($bytes) = $server->raw(join("\r\n", "$method $path HTTP/1.1", "Host: 127.0.0.1:$port", 'Connection: close', @lines) . "\r\n\r\n", 8);
    return Account::Client::parse($method, $bytes);
}
my @replies = (
    [ 'GET', 200, sub { raw(GET => '/user/get_user_info.do') } ],
    [ 'HEAD', 200, sub { raw(HEAD => '/user/get_user_info.do') } ],
    [ 'HEAD, refused', 405, sub { raw(HEAD => '/user/logout.do') } ],
    [ 'OPTIONS', 200, sub { raw(OPTIONS => '/user/logout.do') } ],
    [ 'a success', 200, sub { raw(POST => '/user/logout.do', 'Content-Length: 0') } ],
    [ 'the gate', 403, sub { raw(POST => '/user/logout.do', 'Content-Length: 0', 'Sec-Fetch-Site: cross-site') } ],
    [ 'an unknown method', '405|501', sub { raw(FOO => '/user/logout.do') } ],
    [ 'TRACE', '405|200', sub { raw(TRACE => '/user/logout.do') }, 'httpd answers it itself' ],
    [ 'no type', 415, sub { raw(POST => '/user/login.do', 'Content-Length: 3', '', 'a=b') } ],
    [ 'too large', 413, sub { raw(POST => '/user/login.do', $json, 'Content-Length: 999999') } ],
    [ 'a bad length', 400, sub { raw(POST => '/user/login.do', $json, 'Content-Length: x') } ],
    [ 'a bad chunk', '200|400', sub { raw(POST => '/user/login.do', $json, 'Transfer-Encoding: chunked', '', 'zz') } ],
    [ 'a bad Host', 400, sub { raw(GET => '/user/login.do', 'Host: a b') } ],
    [ 'two Hosts', 400, sub { raw(GET => '/user/login.do', 'Host: b') } ],
    [ 'a bad header', 400, sub { raw(GET => '/user/login.do', 'no colon') } ],
    [ 'a slow body', '408|200', sub { raw(POST => '/user/login.do', $json, 'Content-Length: 100') } ],
    [ 'refused by a rewrite', 403, sub { raw(GET => '/user/check_valid.do') } ],
    [ 'closed by the configuration', 403, sub { raw(GET => '/user/get_information.do') } ],
);
for (@replies) {
    my ($name, $status, $do, $not) = @$_;
    $r = $do->();
    like($r->{status}, qr/\A(?:$status)\z/, "$name: $r->{status}");
    next if $not;
    is_deeply(ours($r), \%program, "$name: all headers, each once") or diag(explain $r->{headers});
    is_deeply(headers($r, 'x-everywhere'), { 'x-everywhere' => 'yes' }, "$name: what is set for all is set here");
}
$r = raw(GET => '/static.txt');
is_deeply(headers($r, qw(content-security-policy x-frame-options)), { 'content-security-policy' => 'none', 'x-frame-options' => 'SAMEORIGIN' },
    'a file has none of ours');
$server->stop;

# --- an error page of the site's own is the site's ---

$server = Account::Server->new(conf => <<'END', files => { 'htdocs/sorry.html' => '<p>sorry</p>' })->start;
ErrorDocument 403 /sorry.html
<Location /user/login.do>
    Require all denied
</Location>
END
$port = $server->port;
$r = $server->get('/user/login.do', headers => { Origin => $APP });
is($r->{status}, 403, 'closed by the configuration');
is_deeply([ $r->{text}, headers($r, 'content-security-policy') ], [ '<p>sorry</p>', { 'content-security-policy' => 'none' } ],
    'the page for that is not made for programs');
is_deeply(headers($r, @CORS, 'vary'), { %none, vary => 'none' }, 'without AccountAllowOrigin there is no CORS');
$r = $server->request(OPTIONS => '/user/logout.do', headers => {%ask});
is_deeply([ $r->{status}, headers($r, @CORS) ], [ 200, \%none ], 'and no answer to preflights');
$r = $server->post('/user/logout.do', headers => {%from});
is($r->{status}, 403, 'nor a way through the gate');
$server->stop;

# --- no database: 503, with all headers ---

$server = Account::Server->new(db => 'none', mounts => qq(AccountDatabase mysql "sock=\@DIR\@/none.sock user=x dbname=x"\nAccountMount /user mmall\n),
    conf => "AccountAllowOrigin $APP\n")->start;
for my $path ('get_user_info.do', 'login.do') {
    $r = $server->post("/user/$path", form => { %user }, headers => { %from, Cookie => 'mmall_login_token=' . 'a' x 26 });
    is($r->{status}, 503, "$path: no database");
    is_deeply(headers($r, @CORS), \%listed, 'has the headers of CORS');
    is_deeply(ours($r), { %program, 'cross-origin-resource-policy' => 'cross-origin' }, 'and all others');
    ok($r->{headers}{'retry-after'}, 'says when to come again');
}
$server->stop;

# --- the cookies ---

for my $case ([ 'None', 'SameSite=None; Secure' ], [ 'strict', 'SameSite=Strict; Secure' ], [ 'LAX', 'SameSite=Lax; Secure' ]) {
    my ($word, $wanted) = @$case;
    $server = Account::Server->new(conf => "AccountPublicURL https://shop.example\nAccountSameSite $word\nAccountAllowOrigin $APP https://app.shop.example\n")
        ->start;
    $server->post('/user/register.do', form => { %user, email => 'geely@example.com' });
    $r = $server->post('/user/login.do', form => {%user});
    my @set = @{ $r->{headers}{'set-cookie'} || [] };
    is(scalar(@set), 2, "AccountSameSite $word: a session and a device");
    like($_, qr/; HttpOnly; \Q$wanted\E\z/, (split /=/)[0]) for @set;
    $r = $server->post('/user/logout.do', cookie => join '; ', map { (split /;/)[0] } @set);
    like(($r->{headers}{'set-cookie'} || [''])->[0], qr/=; Path=\/; Max-Age=0; HttpOnly; \Q$wanted\E\z/, 'and the end of a session');
    my @warnings = $server->error_log =~ /AC00241: AccountAllowOrigin (\S+) is another site than https:\/\/shop\.example/g;
    is_deeply(\@warnings, $word eq 'None' ? [] : [$APP], 'what can not work is said at start');
    $server->stop;
}
no_crash_in_logs();
done();
