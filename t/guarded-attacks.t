# What an attacker, or an unlucky configuration, could make of AuthType Account beside other modules: caches, includes, listings,
# back ends, redirects, slow requests, and expressions that nobody can answer.
# matrix: db
use lib 't/lib';
use Account::Test;
use IO::Socket::INET;
use Time::HiRes 'sleep';

my @browser = (Accept => 'text/html,application/xhtml+xml', 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document');
my $password = canary('Sesame-guarded-attacks');
my $script = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\nenv | grep -E '^(HTTP_|ACCOUNT_|REMOTE_USER)'\n";
my $cgi = "ScriptSock \@DIR\@/run/cgisock\n<Directory \@HTDOCS\@>\nOptions +Includes +Indexes +ExecCGI\nAddOutputFilter INCLUDES .shtml\nAddHandler cgi-script .cgi\n"
    . "DirectoryIndex index.html index.shtml index.cgi\n</Directory>\n";

sub sign_in {
    my ($server) = @_;
    my $jar = Account::Jar->new;
    $server->post('/user/register.do', form => { username => 'anna', password => $password, email => 'anna@example.com' });
    $server->post('/user/login.do', form => { username => 'anna', password => $password }, cookie => $jar);
    ok($jar->get('mmall_login_token'), 'signed in');
    return $jar;
}

my $back = Account::Server->new(sql_counts => 1, account => 0, db => 'none', modules => ['cgid'], conf => $cgi, files => { 'htdocs/env.cgi' => $script })->start;
chmod 0755, $back->dir . '/htdocs/env.cgi';
my $behind = $back->url('/env.cgi');

my $server = Account::Server->new(sql_counts => 1, modules => [qw(include autoindex cgid access_compat cache cache_disk expires proxy proxy_http)],
    files => {
        (map { ("htdocs/$_/index.html" => "the $_ page\n") } qw(members satisfy index pretty cached/header cached/index nameless)),
        (map { ("htdocs/listed/$_.html" => "$_\n") } qw(plain secret)),
        'htdocs/cached/include/index.shtml' => '<!--#include virtual="/members/index.html" -->',
        'htdocs/cached/later/index.shtml' => 'before <!--#include virtual="/members/index.html" -->',
        'htdocs/script/index.cgi' => $script,
        'htdocs/mount/.htaccess' => "AccountMount mmall\nAuthType Account\nRequire account\n", 'htdocs/mount/x.txt' => "x\n",
        'htdocs/parts.shtml' => '<!--#include virtual="/mount/x.txt" --><!--#if expr="%{ACCOUNT:user} == \'anna\'" -->anna<!--#endif -->' x 20,
    },
    conf => $cgi . <<'END' =~ s/BEHIND/$behind/gr);
MaxMemFree 1
AccountLoginPage /signin.html
<Location "/members">
    AuthType Account
    Require account
</Location>
<Location "/satisfy">
    AuthType Account
    Require account
    Order deny,allow
    Deny from all
    Satisfy any
</Location>
<Location "/nameless">
    AuthType Account
    AccountUserField email
    Require account
    Order deny,allow
    Deny from all
    Satisfy any
</Location>
<Directory @HTDOCS@/listed>
    <Files secret.html>
        AuthType Account
        Require account
    </Files>
</Directory>
<Directory @HTDOCS@/cached/index>
    <Files index.html>
        AuthType Account
        Require account
    </Files>
</Directory>
<Directory @HTDOCS@/script>
    <Files index.cgi>
        AuthType Account
        Require account
    </Files>
</Directory>
<Location "/pretty">
    AuthType Account
    Require account
    AccountLoginPage /login
</Location>
RewriteEngine On
RewriteRule ^/login$ /pretty/index.html [PT]
CacheRoot @DIR@/tmp
CacheEnable disk /cached
CacheQuickHandler on
<Location "/cached">
    ExpiresActive On
    ExpiresDefault "access plus 1 hour"
</Location>
<Location "/cached/header">
    Header set X-Who "expr=%{ACCOUNT:user}"
</Location>
<Location "/behind">
    AuthType Account
    Require account
    RequestHeader set X-Nick "expr=%{ACCOUNT:nickname}"
    ProxyPass BEHIND
</Location>
ProxyRequests On
<Proxy "*">
    AuthType Account
    Require all granted
</Proxy>
<Location "/user/update_information.do">
    AuthType Account
    Require account
</Location>
END
$server->start;
chmod 0755, $server->dir . '/htdocs/script/index.cgi';
my $anna = sign_in($server);

# --- another module's no, before "Satisfy any" ---

is($server->get('/satisfy/', cookie => $anna)->{status}, 200, 'Satisfy any: who is signed in, from an address that is denied');
is($server->get('/satisfy/')->{status}, 401, '... and who is not');
is($server->get('/nameless/', cookie => $anna, headers => {@browser})->{status}, 403, 'who has not the name of AccountUserField is not asked to sign in again');

# --- what was made for somebody is not for the next one ---

for my $path (qw(/cached/include/ /cached/later/ /cached/index/)) {
    my $r = $server->get($path, cookie => $anna);
    like($r->{text}, qr/the (?:members|cached\/index) page/, "$path: for anna");
    is(join(',', @{ $r->{headers}{'cache-control'} || [] }) =~ /private/ ? 'private' : 'public', 'private', '... alone');
    unlike($server->get($path)->{text}, qr/the (?:members|cached\/index) page/, '... not from the cache for somebody else');
}
is($server->get('/cached/header/', cookie => $anna)->{headers}{'x-who'}[0], 'anna', 'a header made by an expression');
is(($server->get('/cached/header/')->{headers}{'x-who'} || [''])->[0], '', '... is not told to others');

# --- a listing shows no more than with other kinds of authentication ---

for my $headers ({}, {@browser}) {
    my $text = $server->get('/listed/', headers => $headers)->{text};
    like($text, qr/plain\.html/, 'a listing');
    unlike($text, qr/secret/, '... without what is guarded');
}
like($server->get('/listed/', headers => {@browser}, cookie => $anna)->{text}, qr/secret/, '... but for who may see it');
is($server->get('/cached/index/', headers => {@browser})->{status}, 303, 'the index of a folder still leads to the sign-in page');

# --- back ends ---

for my $connection ('X-Account-Role', 'close;X-Account-Role', 'close ; x-account-role', 'x;;X-Account-Role', 'x X-Account-Role', "x,\tX-Account-Role", '"x";X-Account-Role') {
    my $r = $server->get('/behind', cookie => $anna, headers => { Connection => [ 'close', $connection ] });
    like($r->{text}, qr/^HTTP_X_ACCOUNT_ROLE=normal_user$/m, "Connection: $connection");
}
my $strange = unpack 'H*', '{"nickname":" A\\r\\nX-Evil: 1 "}';
$server->sql("UPDATE account SET attributes = CAST(x'$strange' AS " . ($server->{db} eq 'mysql' ? 'CHAR' : 'TEXT') . ')');
my $r = $server->get('/behind', cookie => $anna);
like($r->{text}, qr/^HTTP_X_ACCOUNT_NAME=%20A%0D%0AX-Evil: 1%20$/m, 'a strange name');
like($r->{text}, qr/^HTTP_X_NICK=A +X-Evil: 1$/m, '... by an expression');
unlike($r->{text}, qr/^HTTP_X_EVIL/m, '... is one header');
$r = $server->get('/script/', cookie => $anna);
like($r->{text}, qr/^$_$/m, "a folder's index, guarded by <Files>: $_") for 'ACCOUNT_USER=anna', 'REMOTE_USER=anna', 'HTTP_X_ACCOUNT_USER=anna';
is($server->get('/script/')->{status}, 401, '... and by nobody');
my $cookie = $anna->header;
my $raw = $server->raw("GET $behind HTTP/1.0\r\nCookie: $cookie\r\nX-Account-Id: 9\r\n\r\n");
like($raw, qr/^HTTP_HOST=/m, 'a forward proxy');
unlike($raw, qr/ACCOUNT|anna/i, '... tells other sites nothing');

# --- a sign-in page that is guarded under another address ---

is($server->get('/pretty/', headers => {@browser})->{headers}{location}[0], '/login?return=%2fpretty%2f', 'to the sign-in page');
is($server->get('/login?return=%2fpretty%2f', headers => {@browser})->{status}, 401, '... which does not lead to itself');

# --- parts in folders with a mount of their own ---

is($server->get('/parts.shtml', cookie => $anna)->{text}, "x\nanna" x 20, 'parts, each asking') for 1 .. 5;

# --- a body that comes late ---

my $body = 'email=late%40example.com&phone=13800000001&question=q&answer=' . canary('Answer-late');
my $late = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port);
print $late "POST /user/update_information.do HTTP/1.1\r\nHost: 127.0.0.1:" . $server->port . "\r\nConnection: close\r\nCookie: $cookie\r\n"
    . "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " . length($body) . "\r\n\r\n" . substr $body, 0, 10;
$late->flush;
sleep 1.3;
is($server->post('/user/logout.do', cookie => Account::Jar->new(%$anna))->{json}{status}, 0, 'logout, while a request is being sent');
print $late substr $body, 10;
$late->flush;
my $reply = do { local $/; <$late> };
unlike($reply, qr/late\@example/, '... which comes too late');
is($server->sql('SELECT email FROM account'), 'anna@example.com', '... and changes nothing');

# --- expressions that nobody can answer: neither yes nor no, whoever asked ---

my $mariadb = Account::MariaDB->new->start;
my %denied = (expr => "Require expr \"%{ACCOUNT:role} == 'admin'\"", if => "<If \"%{ACCOUNT:role} != 'admin'\">\nRequire all denied\n</If>",
    page => "ErrorDocument 403 /denied.html\nRequire expr \"%{ACCOUNT:role} == 'admin'\"", header => "Header set X-Who \"expr=%{ACCOUNT:user}\"");
my $down = Account::Server->new(sql_counts => 1, modules => [qw(include cgid autoindex proxy proxy_http)], db => 'mysql', mariadb => $mariadb,
    files => {
        (map { ("htdocs/$_/index.html" => "the $_ page\n") } keys %denied), 'htdocs/denied.html' => "denied\n", 'htdocs/down.html' => "soon\n",
        'htdocs/page.shtml' => "before <!--#echo var=\"x\" --> <!--#if expr=\"%{ACCOUNT:role} != 'blocked'\" -->the content<!--#endif -->",
        'htdocs/rules/.htaccess' => "RewriteEngine On\nRewriteCond expr \"%{ACCOUNT:role} != 'admin'\"\nRewriteRule ^forbidden - [F]\n"
            . "RewriteCond expr \"%{ACCOUNT:user} == ''\"\nRewriteRule ^redirect /signin.html [R]\n",
    },
    conf => $cgi . "ErrorDocument 503 /down.html\nRewriteEngine On\nRewriteCond expr \"%{ACCOUNT:user} == ''\"\nRewriteRule ^/account\$ /signin.html [R]\n"
        . "<Location /header/behind>\nProxyPass $behind\n</Location>\n"
        . join '', map { "<Location /$_>\n$denied{$_}\n</Location>\n" } sort keys %denied)->start;
my $jar = sign_in($down);
my %usual = ((map { ("/$_/" => 403) } keys %denied), '/header/' => 200, '/header/behind' => 200, '/account' => 404, '/rules/forbidden' => 403, '/rules/redirect' => 404);
is($down->get($_, cookie => Account::Jar->new(%$jar))->{status}, $usual{$_}, "as usual: $_") for sort keys %usual;
is($down->get('/page.shtml', cookie => Account::Jar->new(%$jar))->{text}, 'before (none) the content', 'as usual: a page');
$mariadb->kill9;
for my $path (sort keys %usual) {
    my $r = $down->get($path, cookie => Account::Jar->new(%$jar));
    is($r->{status} . $r->{text}, "503soon\n", "nobody can tell: $path");
    like(join(',', @{ $r->{headers}{'retry-after'} || [] }), qr/\A\d+\z/, '... come later');
    ok(!$r->{headers}{location} && !$r->{headers}{'x-who'}, '... and nothing is said of anybody');
}
$raw = $down->raw("GET /page.shtml HTTP/1.1\r\nHost: x\r\nCookie: " . $jar->header . "\r\n\r\n");
unlike($raw, qr/the content/, 'nobody can tell: a page that was half sent');
unlike($raw, qr/\r\n0\r\n/, '... breaks off');
is($down->get('/header/')->{status}, 200, 'who shows no session is nobody');

# --- what httpd could not read has secrets too, whatever is asked for its error page ---

my $asks = Account::Server->new(sql_counts => 1, conf => "Header always set X-Who \"expr=%{ACCOUNT:user}\"\nErrorDocument 414 \"%{ACCOUNT:user}\"\n")->start;
my $secret = canary();
like($asks->raw("GET /user/login.do?username=anna&password=$secret&x=" . 'x' x 9000 . " HTTP/1.1\r\nHost: x\r\n\r\n"), qr/\AHTTP\S+ 414 /, 'a line that is too long');
like($asks->raw("GET /user/login.do?username=anna&password=$secret HTTP/1.1\r\nHost: x y\r\n\r\n"), qr/\AHTTP\S+ 400 /, 'a broken host');
ok($asks->access_log !~ /\Q$secret/, 'no secret of theirs is logged');

done();
