# AuthType Account: the session that an API call opened guards files, scripts and what is behind a proxy.
# matrix: all
use lib 't/lib';
use Account::Test;
use Time::HiRes 'sleep';

my $server = Account::Server->new(sql_counts => 1, modules => ["include"],
    mounts => "AccountMount /user mmall\nAccountMount /management management\nAccountMount /mobileapi/customer kalengo\n"
        . "AccountMail \"file:\@DIR\@/messages.jsonl\" \"Shop <shop\@example.com>\"\nAccountPublicURL http://127.0.0.1:\@PORT\@\nAccountMount /account links\n",
    files => { map { ("htdocs/$_/index.html" => "the $_ page\n") } qw(members staff verified mobile fresh open any expr if never nologin rewritten) },
    conf => <<'END',
LogFormat "%u|%{user}^ac|%{role}^ac|%U" who
CustomLog "@DIR@/logs/who_log" who
AccountLoginPage /signin.html
<Location "/members">
    AuthType Account
    AuthName members
    Require account
</Location>
<Location "/staff">
    AuthType Account
    Require account-role admin creator
</Location>
<Location "/verified">
    AuthType Account
    Require account-verified email
</Location>
<Location "/mobile">
    AuthType Account
    Require account-verified mobile
</Location>
<Location "/fresh">
    AuthType Account
    Require account-fresh 2s
</Location>
<Location "/open">
    AuthType Account
    Require all granted
    Header set X-Who "expr=%{ACCOUNT:user}/%{ACCOUNT:role}/%{ACCOUNT:email_verified}/%{ACCOUNT:nickname}"
</Location>
<Location "/any">
    AuthType Account
    <RequireAny>
        Require expr "%{HTTP:X-Key} == 'right'"
        Require account
    </RequireAny>
</Location>
<Location "/expr">
    Require expr "%{ACCOUNT:role} != 'blocked'"
</Location>
<If "%{ACCOUNT:role} == 'admin'">
    Header set X-If admin
</If>
<Location "/never">
    AuthType Account
    Require account-role admin
    AccountLoginPage off
</Location>
<Location "/nologin/index.html">
    AuthType Account
    Require account
    AccountLoginPage /nologin/index.html
</Location>
RewriteEngine On
RewriteCond expr "%{ACCOUNT:user} =~ /^(.+)$/"
RewriteRule ^/mine$ /members/index.html?%1 [PT]
RewriteCond %{LA-U:REMOTE_USER} ^$
RewriteRule ^/members/look$ /static.txt [PT,NS]
END
)->start;

my @browser = (Accept => 'text/html,application/xhtml+xml', 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document');

sub account {
    my ($name, $role) = @_;
    my $password = canary("Sesame-$name-guard");
    my $jar = Account::Jar->new;
    $server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" });
    $server->sql("UPDATE account SET role = '$role' WHERE user_name = '$name'") if $role;
    is($server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar)->{json}{status}, 0, "$name");
    return ($jar, $password);
}

my ($anna, $annas) = account('anna', 'admin');
my ($bert, $berts) = account('bert');

sub status { my ($path, %opt) = @_; return $server->get($path, %opt)->{status} }

# --- who may ---

my @rows = (
    # path, nobody, bert, anna
    [ '/members/', 401, 200, 200 ], [ '/members/index.html', 401, 200, 200 ], [ '/members', 401, 301, 301 ],
    [ '/staff/', 401, 403, 200 ], [ '/verified/', 401, 403, 403 ], [ '/mobile/', 401, 403, 403 ], [ '/fresh/', 401, 200, 200 ],
    [ '/open/', 200, 200, 200 ], [ '/any/', 401, 200, 200 ], [ '/expr/', 200, 200, 200 ], [ '/never/', 401, 403, 200 ],
    [ '/members/none', 401, 404, 404 ], [ '/mine', 404, 200, 200 ],
);
($bert) = login_again('bert', $berts);
($anna) = login_again('anna', $annas);

sub login_again {
    my ($name, $password) = @_;
    my $jar = Account::Jar->new;
    $server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar);
    canary($jar->get('mmall_login_token'));
    return $jar;
}

for my $row (@rows) {
    my ($path, @wanted) = @$row;
    my @got = map { status($path, $_ ? (cookie => $_) : ()) } undef, $bert, $anna;
    is("@got", "@wanted", "$path: nobody, bert, anna");
}

sub location { my ($path, %opt) = @_; return ($server->get($path, headers => {@browser}, %opt)->{headers}{location} || ['none'])->[0] }

# --- who is not signed in ---

my $r = $server->get('/members/', headers => {@browser});
is($r->{status}, 303, 'a browser is sent to the sign-in page');
is($r->{headers}{location}[0], '/signin.html?return=%2fmembers%2f', 'and comes back');
is(join(',', @{ $r->{headers}{'cache-control'} }), 'no-store', 'this time');
for ([ '/members/a?b=c&d=%41', '%2fmembers%2fa%3fb%3dc%26d%3d%2541' ], [ '//evil.example/../members/', '%2fevil.example%2f..%2fmembers%2f' ],
    [ '/members//x', '%2fmembers%2f%2fx' ], [ "http://127.0.0.1:" . $server->port . "/members/?x", '%2fmembers%2f%3fx' ],
    [ '//members/', '%2fmembers%2f' ], [ '/\\members/', 'none' ], [ 'http://evil.example/members/', '%2fmembers%2f' ]) {
    my ($path, $wanted) = @$_;
    my $got = location($path);
    is($got =~ s/.*return=//r, $wanted, "the address to return to: $path");
    unlike($got, qr{\Ahttps?:|\A//|return=%2f(?:%2f|%5c|/)}i, '... of this site');
}
is($server->post('/members/', form => { a => 1 }, headers => {@browser})->{headers}{location}[0], '/signin.html', 'what was posted is not repeated');
for ([ 'a program', {} ], [ 'a fetch', { Accept => 'text/html', 'Sec-Fetch-Mode' => 'cors' } ],
    [ 'XMLHttpRequest', { Accept => 'text/html', 'X-Requested-With' => 'XMLHttpRequest' } ], [ 'JSON', { Accept => 'application/json' } ]) {
    my ($who, $headers) = @$_;
    my $r = $server->get('/members/', headers => $headers);
    is($r->{status}, 401, "$who: 401");
    is($r->{headers}{'www-authenticate'}[0], 'Account realm="members"', "... with a challenge that no browser asks about");
}
is($server->get('/members/', headers => { Accept => 'text/html' })->{status}, 303, 'an old browser');
is($server->get('/never/', headers => {@browser})->{status}, 401, 'AccountLoginPage off');
is($server->get('/nologin/index.html', headers => {@browser})->{status}, 401, 'a sign-in page that is guarded itself does not lead to itself');
like($server->error_log, qr/AC00264: AccountLoginPage \/nologin\/index.html/, 'and the log says so');
is($server->get('/staff/', headers => {@browser}, cookie => $bert)->{status}, 403, 'who is signed in and may not is not asked to sign in');

# --- a mount that is guarded itself ---

$server->{conf} .= "<Location /user/get_user_info.do>\nAuthType Account\nRequire account-role admin\n</Location>\n"
    . "<Location /user/check_valid.do>\nAuthType Account\nRequire account\n</Location>\n";
$server->write_conf->restart;
is($server->get('/user/get_user_info.do')->{text}, '{"status":1,"msg":"用户未登录,无法获取当前用户信息"}', 'the contract says it in its own words');
is($server->get('/user/check_valid.do?str=x&type=username')->{status}, 401, 'where it has some');
is($server->get('/user/get_user_info.do', cookie => $bert)->{status}, 403, 'a route for a role');
is($server->get('/user/get_user_info.do', cookie => $anna)->{json}{data}{username}, 'anna', 'is answered');

# --- expressions, names, logs ---

is($server->get('/open/')->{headers}{'x-who'}[0], '///', 'nobody has no name');
is($server->get('/open/', cookie => $bert)->{headers}{'x-who'}[0], 'bert/normal_user/false/', 'names of somebody');
ok($server->get('/static.txt', cookie => $anna)->{headers}{'x-if'}, '<If> by role');
ok(!$server->get('/static.txt', cookie => $bert)->{headers}{'x-if'}, 'not of another');
ok(!$server->get('/static.txt')->{headers}{'x-if'}, 'nor of nobody');
like(slurp($server->dir . '/logs/who_log'), qr{^bert\|bert\|normal_user\|/open/}m, 'a log of who it was');
like(slurp($server->dir . '/logs/who_log'), qr{^-\|-\|-\|/open/}m, 'and was not');
is(status('/any/', headers => { 'X-Key' => 'right' }), 200, 'RequireAny: without an account');
is(status('/members/look', cookie => $bert), 404, 'look-ahead sees who it is');
is(status('/members/look'), 200, 'and that it is nobody');
my $private = sub { join ',', @{ $_[0]{headers}{'cache-control'} || [] } };
is($private->($server->get('/members/', cookie => $bert)), 'private', 'no cache may keep it');
is($private->($server->get('/expr/', cookie => $bert)), 'private', 'nor what an expression let through');
is($private->($server->get('/static.txt')), '', 'what everybody may see it may');
for ([ '%{ACCOUNT:rolle}', qr/no such name.*role/s ], [ '%{ACCOUNT:answer}', qr/no such name/ ], [ '%{ACCOUNT:session.token}', qr/no such name/ ],
    [ '%{ACCOUNT:extra.}', qr/no such name/ ]) {
    my ($name, $wanted) = @$_;
    my ($status, $said) = configtest("Header set X-A \"expr=$name\"\n");
    ok($status && $said =~ $wanted, "configtest: $name") or diag($said);
}

# --- fresh ---

is(status('/fresh/', cookie => $bert), 401, 'too long ago') if sleep 2.1;
is(location('/fresh/', cookie => $bert), '/signin.html?return=%2ffresh%2f', 'so sign in again');
$bert = login_again('bert', $berts);
is(status('/fresh/', cookie => $bert), 200, 'that is fresh');

# --- at once, in every process ---

my @children = map { $server->get('/static.txt') } 1 .. 8;
my @each = (1 .. 12);    # enough to meet more than one child
sub all_are { my ($wanted, $path, $jar, $name) = @_; my %got; $got{ status($path, cookie => $jar) }++ for @each; is(join(',', keys %got), $wanted, $name) }
$server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'bert'");
all_are(200, '/staff/', $bert, 'a role, by SQL');
is($server->post('/management/role', json => { account => 'bert', role => 'normal_user' }, cookie => $anna)->{status}, 200, 'a role is taken');
all_are(403, '/staff/', $bert, 'and counts at once');
my $second = login_again('bert', $berts);
is($server->post('/user/logout.do', cookie => Account::Jar->new(%$bert))->{json}{status}, 0, 'logout');
all_are(401, '/members/', $bert, 'a session that has ended');
all_are(200, '/members/', $second, 'another one has not');
my $new = canary('Sesame-bert-new-1');
my $third = login_again('bert', $berts);
is($server->post('/user/reset_password.do', form => { passwordOld => $berts, passwordNew => $new }, cookie => $third)->{json}{status}, 0, 'a new password');
all_are(401, '/members/', $second, 'ends other sessions');
all_are(200, '/members/', $third, 'and not its own');
is($server->post('/management/disable', json => { account => 'bert' }, cookie => $anna)->{status}, 200, 'an account is closed');
all_are(401, '/members/', $third, 'and that counts');
is($server->post('/management/enable', json => { account => 'bert' }, cookie => $anna)->{status}, 200, 'opened');
my $proved = login_again('bert', $new);
is(status('/verified/', cookie => $proved), 403, 'an address that nobody has proven');
$server->sql("UPDATE account SET email_verified = 1 WHERE user_name = 'bert'");
is(status('/verified/', cookie => $proved), 200, 'proven');
is(status('/mobile/', cookie => $proved), 403, 'is no number');

# --- never by mistake ---

my $other = login_again('anna', $annas);
my $two = 'mmall_login_token=' . $anna->get('mmall_login_token') . '; mmall_login_token=' . $other->get('mmall_login_token');
is(status('/members/', cookie => $two), 401, 'two live sessions under one name are none');
is(status('/members/', cookie => 'mmall_login_token=' . $anna->get('mmall_login_token') . '; mmall_login_token=x'), 200, 'a dead one beside it does not matter');
my $k = Account::Jar->new;
$server->post('/mobileapi/customer/login', form => { username => 'bert', password => $new }, cookie => $k);
ok($k->get('frontend'), 'a session of another contract');
is(status('/members/', cookie => $k), 200, 'opens the same doors');
is(status('/members/', cookie => 'frontend=' . $anna->get('mmall_login_token')), 200, 'a session is the realm\'s, whatever its cookie is called');
for my $bad ('', 'x', 'a' x 26, substr($anna->get('mmall_login_token'), 0, -1), uc $anna->get('mmall_login_token'), $anna->get('mmall_login_token') . 'a') {
    is(status('/members/', cookie => "mmall_login_token=$bad"), 401, "no session: '$bad'");
}
is(status('/members/?mmall_login_token=' . (account('carl'))[0]->get('mmall_login_token')), 401, 'nor one in the address');
is($server->request(HEAD => '/members/', cookie => $anna)->{status}, 200, 'HEAD');
is($server->request(HEAD => '/members/')->{status}, 401, '... of nobody');
is($server->request(OPTIONS => '/members/')->{status}, 401, 'OPTIONS of nobody');
spew($server->dir . '/htdocs/include.shtml', '[<!--#include virtual="/members/" -->][<!--#include virtual="/user/logout.do" -->][<!--#echo var="ACCOUNT_ROLE" -->]');
$server->{conf} .= "<Directory \@HTDOCS\@>\nOptions +Includes\nAddOutputFilter INCLUDES .shtml\n</Directory>\nErrorDocument 403 /user/logout.do\nErrorDocument 404 /members/index.html\n";
$server->write_conf->restart;
like($server->get('/include.shtml', cookie => $anna)->{text}, qr/\A\[the members page\n\]\[.*error.*\]\[\(none\)\]/s, 'an include of a guarded page');
unlike($server->get('/include.shtml')->{text}, qr/members page/, 'is guarded');
is(status('/members/', cookie => $anna), 200, 'and includes log nobody out');
is($server->get('/nowhere')->{text} =~ /members page/ ? 'shown' : 'hidden', 'hidden', 'a guarded error page');
is($server->get('/nowhere', cookie => $anna)->{text}, "the members page\n", '... is shown to whom it may be');
$server->get('/staff/', cookie => $proved);
is(status('/members/', cookie => $proved), 200, 'an error page logs nobody out');

# --- configtest ---

for ([ 'Require account-role admn', qr/line \d+ of .*admn is none of AccountRoles.*admin/s ], [ 'Require account-role', qr/names of roles/ ],
    [ 'Require account foo', qr/Require account takes nothing more/ ], [ 'Require account-verified phone', qr/email and mobile, not phone/ ],
    [ 'Require account-fresh soon', qr/5m/ ], [ 'Require account-fresh', qr/5m/ ], [ 'AccountLoginPage //evil', qr/no address/ ],
    [ 'AccountLoginPage signin', qr/no address/ ], [ 'AccountUserField nick', qr/login_name, user_name/ ]) {
    my ($line, $wanted) = @$_;
    my ($status, $said) = configtest("<Location /x>\nAuthType Account\n$line\n</Location>\n");
    ok($status && $said =~ $wanted, "configtest: $line") or diag($said);
}
{
    my ($status, $said) = configtest("<Location /x>\nAuthType Account\nRequire account\n</Location>\n", db => 'none');
    ok($status && $said =~ /line \d+ of .*Require account needs AccountDatabase/, 'configtest: without a database') or diag($said);
}

my $bare = Account::Server->new(sql_counts => 1, db => 'none', mounts => '', contracts => 0, conf => "<Location /static.txt>\nRequire expr \"%{ACCOUNT:role} != 'x'\"\n</Location>\n")->start;
is($bare->get('/static.txt')->{status}, 503, 'an expression that nobody can answer grants nothing');
like($bare->error_log, qr/AC00268: %\{ACCOUNT:role\} needs AccountDatabase/, 'and the log says why');

# --- README: Protect a folder ---

my ($section) = slurp("$ROOT/README.md") =~ /^## Protect a folder\n(.*?)^## /ms;
my ($guards, $expressions) = $section =~ /^```apache\n(.*?)^```/msg;
my $readme = Account::Server->new(sql_counts => 1, conf => "$guards\nRewriteEngine On\n$expressions",
    files => { 'htdocs/members/index.html' => 'm', 'htdocs/staff/index.html' => 's', 'htdocs/account' => 'a', 'htdocs/signin.html' => 'sign in' })->start;
$readme->post('/user/register.do', form => { username => 'anna', password => $annas, email => 'anna@example.com' });
my $jar = Account::Jar->new;
$readme->post('/user/login.do', form => { username => 'anna', password => $annas }, cookie => $jar);
is($readme->get('/members/', headers => {@browser})->{headers}{location}[0], '/signin.html?return=%2fmembers%2f', 'README: a browser');
is($readme->get('/members/', cookie => $jar)->{text}, 'm', 'README: members');
is($readme->get('/staff/', cookie => $jar)->{status}, 403, 'README: staff');
$readme->sql("UPDATE account SET role = 'admin'");
is($readme->get('/staff/', cookie => $jar)->{text}, 's', 'README: an administrator');
is($readme->get('/static.txt', cookie => $jar)->{headers}{'x-greeting'}[0], 'Hello anna', 'README: an expression');
is($readme->get('/account')->{status}, 302, 'README: a rewrite');
is($readme->get('/account', cookie => $jar)->{text}, 'a', 'README: ... of nobody else');

done();
