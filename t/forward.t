# Another server asks whether to let a request through: nginx and Caddy themselves, Traefik and Envoy by what their manuals
# say that they send. Whatever comes back, nobody gets in by mistake and no browser is sent to another site.
# matrix: once
use lib 't/lib';
use Account::Backends 'readme_blocks';
use Account::Process 'free_port';
use Account::Test;

my $echo = Account::Backends::echo();
my $mariadb = Account::MariaDB->new->start;
my ($asked, $nginx_conf) = map { $_->[1] } readme_blocks('nginx in front');
my $envoy = free_port();
my $handler = "AuthType Account\nSetHandler account-forward-auth\n";
my $server = Account::Server->new(sql_counts => 1, db => 'mysql', mariadb => $mariadb, allow => qr/./, modules => ['include'],
    files => { 'htdocs/bare/.htaccess' => "SetHandler account-forward-auth\n", 'htdocs/page.shtml' => "<!--#include virtual=\"/auth\" -->end\n", 'htdocs/signin.html' => "sign in\n", 'htdocs/secret' => "a file\n",
        'htdocs/loop.shtml' => "<!--#include virtual=\"/loop.shtml\" -->x\n" },
    conf => $asked . <<"END",
<Location "/role">
$handler
Require account-role admin
</Location>
<Location "/ask">
$handler
Require account
AccountLoginPage /signin.html
</Location>
<Location "/paged">
$handler
Require account
ErrorDocument 401 /user/get_user_info.do
</Location>
<Location "/far">
$handler
Require account
AccountLoginPage https://login.example/in?from=here
</Location>
<Location "/no-type">
SetHandler account-forward-auth
Require all granted
</Location>
<Location "/all">
$handler
Require all granted
</Location>
<Location "/none">
$handler
Require all denied
</Location>
<Location "/loop.shtml">
$handler
Require account
</Location>
<Directory "\@HTDOCS\@">
Options +Includes
AddOutputFilter INCLUDES .shtml
</Directory>
Listen 127.0.0.1:$envoy
<VirtualHost 127.0.0.1:$envoy>
DocumentRoot "\@HTDOCS\@"
AllowEncodedSlashes NoDecode
<Location "/">
$handler
Require account
</Location>
</VirtualHost>
END
)->start;

my $password = canary('Sesame-forward-1');
sub person {
    my ($name) = @_;
    my $jar = Account::Jar->new;
    $server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" });
    is($server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar)->{json}{status}, 0, "$name is signed in");
    return $jar;
}
my ($anna, $bert) = map { person($_) } qw(anna bert);
$server->sql("UPDATE account SET role = 'admin', attributes = '{\"nickname\":\"安娜\"}' WHERE user_name = 'anna'");
my @browser = (Accept => 'text/html,application/xhtml+xml,*/*;q=0.8', 'Sec-Fetch-Mode' => 'navigate');

# --- the handler ---

my $r = $server->get('/auth', cookie => $anna);
is($r->{status}, 200, 'who is signed in: 200');
is($r->{body}, '', 'without a body');
my %told = map { $_ => $r->{headers}{$_}[0] } grep { /^x-account-/ } keys %{ $r->{headers} };
is($told{'x-account-user'}, 'anna', 'with headers');
is($told{'x-account-name'}, '%E5%AE%89%E5%A8%9C', 'as for applications');
is($told{'x-account-role'}, 'admin', 'all of them');
is(scalar keys %told, 8, 'that there are');
like($r->{headers}{'cache-control'}[0], qr/no-store/, 'not for caches');
$r = $server->get('/auth', headers => { 'X-Account-User' => 'anna', 'X-Account-Id' => 1 });
is($r->{status}, 401, 'nobody: 401');
is(scalar(grep { /^x-account/ } keys %{ $r->{headers} }), 0, 'no headers');
is($server->get('/role', cookie => $_->[0])->{status}, $_->[1], "a role: $_->[1]") for [ $anna, 200 ], [ $bert, 403 ];
is($server->get('/role')->{status}, 401, 'a role: 401 for nobody');
is($server->get('/none', cookie => $anna)->{status}, 403, 'Require all denied: 403');
is($server->get('/all')->{status}, 200, 'Require all granted: 200');
for my $method (qw(GET HEAD POST PUT DELETE PATCH OPTIONS PROPFIND)) {
    is($server->request($method, '/auth/x', cookie => $anna)->{status}, 200, "$method, signed in: 200");
    is($server->request($method, '/auth/x')->{status}, 401, "$method, nobody: 401");
}
for my $row ([ anna => $anna, 200 ], [ nobody => undef, 401 ]) {
    my ($who, $jar, $status) = @$row;
    my @cookie = $jar ? (cookie => $jar) : ();
    is($server->post('/auth', body => 'x' x 200_000, @cookie)->{status}, $status, "a body is not read: $who: $status");
    my $two = join '', map { "POST /auth HTTP/1.1\r\nHost: x\r\n" . ($jar ? 'Cookie: ' . $jar->header . "\r\n" : '') . "$_\r\n" }
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "Connection: close\r\nContent-Length: 2\r\n\r\nno";
    is(scalar(() = $server->raw($two) =~ m{^HTTP/1\.1 $status }mg), 2, "nor does it spoil the next request: $who");
}
for my $path ('/no-type', '/bare/') {
    is($server->get($path, cookie => $anna)->{status}, 500, "$path: 500, not 200");
}
is(scalar(() = $server->error_log =~ /AC00266: SetHandler account-forward-auth without AuthType Account and Require/g), 2, 'and a line in the log each');
for my $section ("<Location /auth>\nAuthType Account\n>>SetHandler account-forward-auth\n</Location>", "<Location /auth>\n>>SetHandler \"account-forward-auth\"\n</Location>",
    "<VirtualHost *:1>\n<Directory />\nAuthType Account\nRequire account\n<If true>\n>>sethandler  account-forward-auth\n</If>\n</Directory>\n</VirtualHost>") {
    (my $lines = $section) =~ s/>>//;
    my ($status, $said) = configtest($lines);
    ok($status != 0 && $said =~ /Syntax error on line \d+ of \S+: SetHandler account-forward-auth needs a Require in the same section/, 'no Require beside it: said at start') or diag($said);
}
for my $require ('Require account', "<RequireAny>\nRequire account\nRequire ip 127.0.0.1\n</RequireAny>") {
    is((configtest("AccountSecretFile \@DIR\@/account.key\nAccountDatabase sqlite3 x\n<Location /auth>\nAuthType Account\n$require\nSetHandler account-forward-auth\n</Location>"))[0], 0, 'with one: good');
}
is((configtest("<Location /auth>\nSetHandler account-forward-authority\n</Location>"))[0], 0, 'another handler: not ours to say');
is($server->get('/page.shtml', cookie => $anna)->{text}, "end\n", 'a part of a page that is the handler: nothing');
is($server->get('/loop.shtml', cookie => $anna)->{status}, 200, 'the handler in place of a page that has itself as a part: no loop');

# --- redirects of browsers, for those that say what is asked for ---

sub forwarded { my ($uri, %more) = @_; return { @browser, 'X-Forwarded-Method' => 'GET', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'shop.example', 'X-Forwarded-Uri' => $uri, %more } }
sub sent_to { my ($r) = @_; return join ' ', $r->{status}, $r->{headers}{location} ? $r->{headers}{location}[0] : () }
is(sent_to($server->get('/ask', headers => forwarded('/members/?a=1&b=2'))), '303 /signin.html?return=%2fmembers%2f%3fa%3d1%26b%3d2', 'Traefik, Caddy: a browser is sent to sign in');
is(sent_to($server->get('/far', headers => forwarded('/m'))), '303 https://login.example/in?from=here&return=%2fm', 'a sign-in page elsewhere');
is(sent_to($server->get('/ask', headers => forwarded('/members/'), cookie => $bert)), '200', 'signed in: 200');
is(sent_to($server->get('/ask', headers => { @browser })), '401', 'without X-Forwarded-Uri: 401');
is(sent_to($server->get('/ask', headers => forwarded('/m', Accept => 'application/json', 'Sec-Fetch-Mode' => 'cors'))), '401', 'a script: 401');
is(sent_to($server->get('/auth', headers => forwarded('/m'))), '401', 'without AccountLoginPage: 401');
is(sent_to($server->get('/ask', headers => forwarded('/m', 'X-Forwarded-Method' => $_))), '303 /signin.html', "$_: to sign in, and not back to what it was for") for qw(POST PUT DELETE HEAD);
is(sent_to($server->request($_, '/ask', headers => forwarded('/m'))), '303 /signin.html?return=%2fm', "asked by $_") for qw(HEAD POST PUT DELETE);

for my $own ('/signin.html', '/signin.html?return=%2fx') {
    is(sent_to($server->get('/ask', headers => forwarded($own))), '401', "$own itself is asked for: no loop");
}
is(scalar(() = $server->error_log =~ /AC00264: AccountLoginPage \/signin.html can't be seen by who is not signed in/g), 2, 'but a line in the log');
is(sent_to($server->get('/ask', headers => forwarded('/signin.html/x'))), '303 /signin.html?return=%2fsignin.html%2fx', 'something else');

# whither a browser goes from a page of the site that sets location to it
sub leads {
    my ($address) = @_;
    $address =~ s/[\t\r\n]//g;
    $address =~ s/\A[\0-\x20]+//;
    $address =~ tr{\\}{/};
    return 'another site' if $address =~ m{\A//} || $address =~ m{\A[a-z][a-z0-9+.-]*:}i;
    return $address =~ m{\A/} ? 'here' : 'relative';
}
my @wicked = ('//evil.example', '///evil.example', '////evil.example/', '/\\evil.example', '/\\/evil.example', '\\\\evil.example', '\\/evil.example', '/\\\\evil.example', '//\\evil.example', '\\evil',
    'https://evil.example', 'http:evil.example', 'HTTPS://evil.example/', 'javascript:alert(1)', 'data:text/html,x', 'evil.example', '@evil.example', ':80', '?x', '#x', '', ' ', '*',
    "/\t/evil.example", "/\t\\evil.example", "\t//evil.example", "/ /evil.example", "/\x0b/evil.example", "/\x0c/evil.example", "/\x01/evil.example", "/\x7f/evil.example", '/%09/evil.example', '/%0d%0aLocation:%20//evil.example',
    '/%2f/evil.example', '/%5cevil.example', '%2f%2fevil.example', '/./%2fevil.example', '/.//evil.example', '/..//evil.example', '/x/../..//evil.example', '/;//evil.example', '/?//evil.example', '/#//evil.example', '//evil.example/%2f..',
    '/@evil.example', '/:@evil.example', '//user@evil.example', '/https://evil.example', '/javascript:alert(1)', "/x'\"><script>", '/ü', '/%', '/%zz', '/%00', '/' . '/' x 500 . 'evil.example', '/\\' x 300 . 'evil.example', '/' . 'a' x 4000,
    '/?return=//evil.example', '/&return=//evil.example', '/#&return=//evil.example', '/x&a=b', '/x=y', '/x+y');
push @wicked, map { my $first = $_; map { "$first$_" . 'evil.example/' } '/', '\\', "\t/", '/\\', '\\/', '%2f' } '/', '\\', "/\t", "\t/", '/%09', '/.', '/..', ' /';
cmp_ok(scalar @wicked, '>=', 100, scalar(@wicked) . ' addresses');
my (@away, $back);
for my $uri (@wicked) {
    my $r = $server->get('/ask', headers => forwarded($uri));
    my $to = sent_to($r);
    $back++ if $to =~ /return=/;
    my ($return) = $to =~ m{\A303 /signin\.html(?:\?return=([A-Za-z0-9%._~+!*'(),;\$-]*))?\z} ? $1 // '/' : undef;
    if (defined $return) { $return =~ tr/+/ /; $return =~ s/%([0-9a-f]{2})/chr hex $1/gei }
    push @away, "$uri => $to" if (!defined $return && $to !~ /\A40[01]\z/) || (defined $return && (leads($return) ne 'here' || $return =~ /[\0-\x1f\x7f]/)) || $r->{text} =~ /<script>/;
}
is_deeply(\@away, [], 'whatever X-Forwarded-Uri is: to this site\'s sign-in, and from there to this site');
cmp_ok($back, '>', 30, 'where it can be, back to what was asked for');
for my $break ("/x\r\nX-Account-Id: 1", "/x\nLocation: //evil.example") {
    my $reply = $server->raw("GET /ask HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nX-Forwarded-Uri: $break\r\nConnection: close\r\n\r\n");
    unlike($reply, qr{^(?:Location: //|X-Account)}m, 'a line end in it breaks nothing');
}
$r = $server->get('/ask', headers => forwarded('/m', 'X-Forwarded-Host' => 'evil.example', 'X-Forwarded-Proto' => 'ftp', 'X-Original-URI' => '//evil.example', 'X-Original-URL' => '//evil', Host => 'evil.example'));
is(sent_to($r), '303 /signin.html?return=%2fm', 'hosts that a client names are not gone to');

# --- Envoy: the path and the method of what is asked for, behind a prefix or not, to a host of its own ---

for my $path ('/', '/secret', '/a/b?c=d', '/..%2fsecret', '/%2e%2e/secret', '/auth/../secret', '//secret', '/%2f%2fx', '/signin.html', '/user/login.do', '/user/logout.do', '/user/get_user_info.do', '/server-status', '/loop.shtml', '/x;y', '/%00', '/%zz', '/../..', '*') {
    for my $method (qw(GET POST HEAD PUT DELETE), $path eq '*' ? () : 'OPTIONS') {    # OPTIONS * is about no place
        my $r = Account::Client::request($envoy, $method, $path);
        $r->{status} == 200 and fail("Envoy asks $method $path: 200 for nobody");
    }
    my $r = Account::Client::request($envoy, GET => $path, cookie => $anna);
    is($r->{status} == 200 ? $r->{headers}{'x-account-user'}[0] . $r->{body} : $r->{status} >= 400 ? 'anna' : $r->{status}, 'anna', "Envoy asks $path: refused, or told who it is, never a page");
}
is(Account::Client::request($envoy, POST => '/a/b', cookie => $anna, body => 'x')->{status}, 200, 'Envoy: 200');

# --- nginx, as README has it ---

for my $row ([ 'http://127.0.0.1:8080' => 'http://127.0.0.1:' . $server->port ], [ 'http://127.0.0.1:3000' => 'http://127.0.0.1:' . $echo->port ]) {
    ok($nginx_conf =~ s/\Q$row->[0]\E/$row->[1]/g, "README has $row->[0]");
}
my $nginx = Account::Backends::nginx("server {\nlisten 127.0.0.1:\@PORT\@;\n$nginx_conf\n" . <<"END");
location /staff/ { auth_request /asked-role; proxy_pass http://127.0.0.1:@{[$echo->port]}; }
location = /asked-role { internal; proxy_pass http://127.0.0.1:@{[$server->port]}/role; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
}
END
sub nginx { my ($method, $path, %opt) = @_; return Account::Client::request($nginx->port, $method, $path, %opt) }
sub told_to_app { my ($r) = @_; return join ' ', sort map { lc($_->[0]) . "=$_->[1]" } grep { $_->[0] =~ /account/i } Account::Backends::lines_of($r->{json}{head} // '') }
my $origin = { Origin => 'http://127.0.0.1:' . $server->port };
my $jar = Account::Jar->new;
is(nginx(POST => '/user/login.do', form => { username => 'anna', password => $password }, cookie => $jar)->{json}{status}, 0, 'nginx: signing in');
is(told_to_app(nginx(GET => '/app/x', cookie => $jar)), 'x-account-id=1 x-account-role=admin', 'nginx: the application is told who it is');
is(told_to_app(nginx(GET => '/app/x', cookie => $bert, headers => { 'X-Account-Id' => 1, 'X-Account-Role' => 'admin', 'X_Account_Role' => 'admin', 'X.Account.Id' => 1 })), 'x-account-id=2 x-account-role=normal_user',
    'nginx: forged headers change nothing');
$r = nginx(GET => '/app/x?a=1');
is(sent_to($r) =~ s{http://[^/]*}{}r, '303 /signin.html?return=/app/x?a=1', 'nginx: nobody is sent to sign in');
$echo->forget;
for my $headers ({ 'X-Forwarded-Uri' => '/signin.html' }, { 'X-Original-URI' => '/free', 'X-Original-URL' => '/user/login.do', 'X-Rewrite-URL' => '/' }, { 'X-Account-Id' => 1, 'X-Account-Role' => 'admin' },
    { 'X-Forwarded-Uri' => '/m', @browser }, { 'X-Forwarded-Method' => 'OPTIONS' }, { 'X-HTTP-Method-Override' => 'OPTIONS' }, { Authorization => 'Basic YTpi' }, { Connection => 'close, Cookie' }) {
    my $r = nginx(GET => '/app/x', headers => $headers);
    ok($r->{status} == 303 || $r->{status} == 500, "nginx: nobody with @{[%$headers]}: $r->{status}");
}
for my $method (qw(POST PUT DELETE HEAD OPTIONS)) {
    is(nginx($method, '/app/x')->{status}, 303, "nginx: $method, nobody");
}
is(scalar($echo->got), 0, 'nginx: the application was not asked');
is(nginx(POST => '/app/x', cookie => $jar, body => 'a body' x 5000)->{json}{body}, 'a body' x 5000, 'nginx: a body passes');
is(nginx($_, '/app/x', cookie => $jar)->{status}, 200, "nginx: $_") for qw(PUT DELETE HEAD OPTIONS);
is(nginx(GET => '/auth', cookie => $jar)->{status}, 404, 'nginx: the question itself is internal');
is(nginx(GET => '/staff/x', cookie => $jar)->{status}, 200, 'nginx: a role');
is(nginx(GET => '/staff/x', cookie => $bert)->{status}, 403, 'nginx: a role that bert lacks: 403');
is(nginx(GET => '/staff/x')->{status}, 401, 'nginx: nobody: 401');

# --- Caddy ---

my $caddy = Account::Backends::caddy(<<"END");
http://127.0.0.1:\@PORT\@ {
    request_header -X-Account-*
    handle /app/* {
        forward_auth 127.0.0.1:@{[$server->port]} {
            uri /ask
            copy_headers X-Account-Id X-Account-Role
        }
        reverse_proxy 127.0.0.1:@{[$echo->port]}
    }
    handle {
        reverse_proxy 127.0.0.1:@{[$server->port]}
    }
}
END
sub caddy { my ($method, $path, %opt) = @_; return Account::Client::request($caddy->port, $method, $path, %opt) }
is(told_to_app(caddy(GET => '/app/x', cookie => $bert, headers => { 'X-Account-Role' => 'admin', 'X-Account-Mobile' => 1 })), 'x-account-id=2 x-account-role=normal_user', 'Caddy: the application is told who it is');
is(sent_to(caddy(GET => '/app/x?a=1', headers => {@browser})), '303 /signin.html?return=%2fapp%2fx%3fa%3d1', 'Caddy: nobody is sent to sign in');
is(caddy(GET => '/signin.html', headers => {@browser})->{text}, "sign in\n", 'Caddy: where the page is');
is(sent_to(caddy(POST => '/app/x', headers => {@browser}, body => 'x')), '303 /signin.html', 'Caddy: a form is not what one returns to');
is(caddy(GET => '/app/x', headers => { 'X-Forwarded-Uri' => '//evil.example' })->{status}, 401, 'Caddy: a script: 401');
unlike(sent_to(caddy(GET => '/app/x', headers => { @browser, 'X-Forwarded-Uri' => '//evil.example', 'X-Forwarded-Host' => 'evil.example' })), qr/evil/, 'Caddy: not to what a client says');
is(caddy(POST => '/app/x', cookie => $bert, body => 'abc')->{json}{body}, 'abc', 'Caddy: a body passes');

# --- a route as the page of an error ---

$r = $server->get('/paged');
is_deeply([ $r->{status}, $r->{json}{status} ], [ 401, 1 ], 'ErrorDocument 401 with a route of ours is its text and no leave');

# --- at once; and without a database ---

$server->sql("UPDATE account SET role = 'normal_user' WHERE user_name = 'anna'");
is(nginx(GET => '/staff/x', cookie => $jar)->{status}, 403, 'nginx: a role that was taken away: 403 on the next request');
$server->post('/user/logout.do', cookie => $jar->header, headers => { Origin => $server->url }) for 1;
is(nginx(GET => '/staff/x', cookie => $jar)->{status}, 401, 'nginx: logged out: 401 on the next request');
$mariadb->kill9;
$echo->forget;
$r = $server->get('/ask', cookie => $bert, headers => forwarded('/m'));
is($r->{status}, 503, 'no database: 503');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
like(nginx(GET => $_, cookie => $bert)->{status}, qr/\A50[03]\z/, "nginx, no database: $_ is an error") for '/app/x', '/staff/x';
is(caddy(GET => '/app/x', cookie => $bert)->{status}, 503, 'Caddy, no database: 503');
is(Account::Client::request($envoy, GET => '/x', cookie => $bert)->{status}, 503, 'Envoy, no database: 503');
is(scalar($echo->got), 0, 'and the application was not asked');
$mariadb->start;
ok(wait_until(15, sub { nginx(GET => '/app/x', cookie => $bert)->{status} == 200 }), 'the database is back');
$server->stop;
like(nginx(GET => '/app/x', cookie => $bert)->{status}, qr/\A50\d\z/, 'nginx: nobody there to ask: an error');
like(caddy(GET => '/app/x', cookie => $bert)->{status}, qr/\A50\d\z/, 'Caddy: nobody there to ask: an error');
done();
