# conf/account.conf as it ships, in a real server: it serves, and what it hardens is hard.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Time::HiRes 'time';

my $module = $ENV{ACCOUNT_MODULE} || "$ROOT/.libs/mod_account.so";
my $dir = temp_dir('hardened');
spew("$dir/account.key", 'c2VjcmV0' x 6 . "\n", 0600);
my $conf = slurp("$ROOT/conf/account.conf");
utf8::decode($conf);
for ([ qr/^(LoadModule account_module) \S+/m => $module ], [ qr/^(AccountSecretFile) \S+/m => "$dir/account.key" ],
    [ qr/^(AccountDatabase sqlite3) \S+/m => "$dir/account.db" ], [ qr{^(Include) \S+/contracts/\*\.conf}m => "$ROOT/conf/contracts/*.conf" ]) {
    my ($line, $value) = @$_;
    ok($conf =~ s/$line/$1 $value/, "conf/account.conf: $value");
}
ok($conf =~ s/^#(Header always set Strict-Transport-Security)/$1/m, 'HSTS, which is commented out');
# what stands there as a comment is right as well
spew("$dir/header.key", 'aGVhZGVy' x 6 . "\n", 0600);
for ([ qr/^#(AccountHeaderKey) \S+/m => "$dir/header.key" ], [ qr/^#(AccountAuditLog) \S+/m => "$dir/audit.log" ], [ qr/^#(AccountLoginPage) (?=\S)/m => '' ],
    [ qr/^#(AccountSessionsPerAccount) (?=\d)/m => '' ], [ qr/^#(AccountAllowOrigin) (?=https)/m => '' ]) {
    my ($line, $value) = @$_;
    ok($conf =~ s/$line/$1 $value/, "conf/account.conf: $line");
}
is($conf =~ s/^#(?=<|    \w)//mg, 8, 'and two sections');
# beside the one that it mounts, all others
my @shipped = map { m{([^/]+)\.conf\z} } sort glob "$ROOT/conf/contracts/*.conf";
my %mount = map { slurp("$ROOT/conf/contracts/$_.conf") =~ /\A[^\n]*AccountMount (\S+) \Q$_\E/ ? ($_ => $1) : die "$_\n" } @shipped;
$conf .= join '', "AccountPublicURL http://127.0.0.1:\@PORT\@\nAccountMail file:\@DIR\@/mail\nAccountSms file:\@DIR\@/sms\nAccountTexts $ROOT/conf/texts\n",
    map { $_ eq 'mmall' ? () : "AccountMount $mount{$_} $_\n" } @shipped;
my $server = Account::Server->new(account => 0, db => 'sqlite3', modules => ['reqtimeout'], conf => $conf)->start;
my $port = $server->port;
my $password = canary('Sesame-hardened-1');
my $host = "Host: 127.0.0.1:$port";

my $r = $server->post('/user/register.do', form => { username => 'geely', password => $password, email => 'geely@example.com' });
is($r->{text}, '{"status":0,"msg":"注册成功"}', 'registers');
my $jar = Account::Jar->new;
is($server->get('/user/login.do', query => { username => 'geely', password => $password }, cookie => $jar)->{json}{status}, 0, 'logs in');
canary($jar->get('mmall_login_token'));
$r = $server->get('/user/get_user_info.do', cookie => $jar);
is($r->{json}{data}{username}, 'geely', 'and is');
is_deeply($r->{headers}{server}, ['Apache'], 'a server without a version');
is_deeply($r->{headers}{'strict-transport-security'}, ['max-age=63072000'], 'HSTS');
is($server->get('/members/')->{status}, 401, 'a guarded folder: nobody');
is($server->get('/members/', headers => { Accept => 'text/html' })->{headers}{location}[0], '/signin.html?return=%2fmembers%2f', 'a browser');
is($server->get('/members/', cookie => $jar)->{status}, 404, 'somebody, who finds nothing there');
like($server->get('/account-status', query => { auto => '' })->{text}, qr/^account_sessions 1$/m, 'the status page');
like(slurp("$dir/audit.log"), qr/"event":"authn_login_success:1"/, 'the audit');
$r = $server->get('/nothing');
is($r->{status}, 404, 'nothing there');
unlike($r->{text}, qr/Apache|Debian|OpenSSL|2\.4/, 'an error page without a version') or diag($r->{text});
is_deeply($r->{headers}{'strict-transport-security'}, ['max-age=63072000'], 'but with HSTS');

# --- methods and versions: declared ones only, on each of our routes and beside them ---

sub raw {
    my ($bytes, $timeout) = @_;
    my ($reply) = $server->raw($bytes, $timeout // 8);
    return $reply // '';
}
sub status { return $_[0] =~ m{\AHTTP/1\.[01] (\d+)} ? $1 : 0 }
my @cookie = 'Cookie: ' . $jar->header;
my $question = '?username=smuggled&password=' . $password . '&email=smuggled@example.com';
my $count = 0;
for my $contract (@shipped) {
    my (%takes, %like);    # path => its methods; the pattern of a path => its methods
    my $text = slurp("$ROOT/conf/contracts/$contract.conf");
    while ($text =~ /<AccountRoute \S+ (\S+) (\S+)>/g) {
        my ($methods, $route) = ($1, $2);
        my $path = ($mount{$contract} =~ s{/\z}{}r) . ($route =~ s/\{\w+\}/13800138000/gr);
        my $like = quotemeta(($mount{$contract} =~ s{/\z}{}r) . $route) =~ s/\\\{\w+\\\}/[^\/]+/gr;
        $takes{$path}{$_} = $like{$like}{$_} = 1 for split /\|/, $methods;
    }
    for my $path (keys %takes) {    # "/sessions/end" is one of "/sessions/{session_id}" too
        for my $like (grep { $path =~ /\A$_\z/ } keys %like) { $takes{$path}{$_} = 1 for keys %{ $like{$like} } }
    }
    for my $path (sort keys %takes) {
        my (%wrong, %declared);
        for my $method (qw(PUT DELETE PATCH PROPFIND MKCOL LOCK FOO foo get TRACE TRACK DEBUG CONNECT GET POST)) {
            next if $takes{$path}{$method};
            my $secret = $method eq 'CONNECT' ? '' : $question;    # httpd itself prints that line at debug
            my $reply = raw(join("\r\n", "$method $path$secret HTTP/1.1", $host, 'Connection: close', @cookie) . "\r\n\r\n");
            my $status = status($reply);
            my $expected = $method =~ /\A(?:PUT|DELETE|PATCH|PROPFIND|MKCOL|LOCK|GET|POST)\z/ ? qr/\A405\z/ : qr/\A(?:400|405|501)\z/;
            $wrong{"$method: $status"} = 1 if $status !~ $expected;
            $wrong{"$method echoes"} = 1 if index($reply, $jar->get('mmall_login_token')) >= 0 || index($reply, $password) >= 0;
            next if $status != 405 || $method eq 'TRACE';
            my %allow = map { $_ => 1 } split /, /, $reply =~ /^Allow: (.*)\r$/m ? $1 : '';
            $wrong{"$method: Allow " . join ' ', sort keys %allow} = 1
                if join(' ', sort keys %{ $takes{$path} }) ne join(' ', grep { $_ ne 'HEAD' } sort keys %allow);
        }
        is_deeply([ sort keys %wrong ], [], "$contract: $path: no other methods");
        $count++;
    }
}
cmp_ok($count, '>=', 50, "$count addresses in all");
my @odd = (
    [ 'HTTP/0.9', "GET /user/register.do$question\r\n", 0 ],
    [ 'HTTP/0.9 with blanks', "GET  /user/register.do$question\r\n\r\n", 0 ],
    [ 'HTTP/2.0 in the clear', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", '400|405|501|505' ],
    [ 'HTTP/1.1 without a Host', "GET /user/register.do$question HTTP/1.1\r\nConnection: close\r\n\r\n", 400 ],
    [ 'a length and chunks', "POST /user/logout.do HTTP/1.1\r\n$host\r\n@cookie\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "0\r\n\r\nGET /user/register.do$question HTTP/1.1\r\n$host\r\nConnection: close\r\n\r\n", 0, 'once' ],
    [ 'two lengths', "POST /user/register.do HTTP/1.1\r\n$host\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n"
        . "GET /user/register.do$question HTTP/1.1\r\n$host\r\n\r\n", 400 ],
    [ 'a bare LF', "GET /user/register.do$question HTTP/1.1\n$host\nConnection: close\n\n", 400 ],
    [ 'a folded header', "GET /user/get_user_info.do HTTP/1.1\r\n$host\r\nX-A: b\r\n Cookie: mmall_login_token=x\r\nConnection: close\r\n\r\n", '200|400' ],
    [ 'a blank before the colon', "GET /user/register.do$question HTTP/1.1\r\n$host\r\nX-A : b\r\nConnection: close\r\n\r\n", 400 ],
    [ 'NUL in a header', "GET /user/register.do$question HTTP/1.1\r\n$host\r\nX-A: b\0c\r\nConnection: close\r\n\r\n", 400 ],
    [ 'NUL in the path', "GET /user/register.do%00$question HTTP/1.1\r\n$host\r\nConnection: close\r\n\r\n", '400|404' ],
    [ 'NUL in the query', "GET /user/register.do$question%00 HTTP/1.1\r\n$host\r\nConnection: close\r\n\r\n", 200, 'refused' ],
    [ 'a full address of another host', "GET http://evil.example/user/nothing.do HTTP/1.1\r\n$host\r\nConnection: close\r\n\r\n", '404|400' ],
    [ 'a line of 9 KB', "GET /user/register.do$question&x=" . 'x' x 9000 . " HTTP/1.1\r\n$host\r\n\r\n", 414 ],
    [ 'a header of 9 KB', "GET /user/register.do$question HTTP/1.1\r\n$host\r\nX-A: " . 'x' x 9000 . "\r\n\r\n", 400 ],
    [ '65 headers', "GET /user/register.do$question HTTP/1.1\r\n$host\r\n" . join('', map { "X-$_: x\r\n" } 1 .. 65) . "\r\n", 400 ],
    [ 'a large body', "POST /static.txt HTTP/1.1\r\n$host\r\nContent-Length: 65537\r\nConnection: close\r\n\r\n", '413|405' ],
    [ 'a large body for us', "POST /user/register.do$question HTTP/1.1\r\n$host\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n"
        . "Connection: close\r\n\r\n" . 'x' x 65537, 413 ],
);
for (@odd) {
    my ($name, $bytes, $status, $more) = @$_;
    my $reply = raw($bytes);
    ok($status ? status($reply) =~ /\A(?:$status)\z/ : status($reply) != 200 || $more, $name . ': ' . status($reply)) or diag($reply);
    unlike($reply, qr/"status":0/, "$name: no success") if ($more // '') ne 'once';
    is(scalar(() = $reply =~ m{^HTTP/1\.1 }mg), 1, "$name: one reply, and the connection is closed") if ($more // '') eq 'once';
}
is($server->get('/user/check_valid.do', query => { str => 'smuggled', type => 'username' })->{json}{status}, 0, 'nobody has registered by that');

# --- slow senders ---

for my $slow ([ 'a header that does not come', "GET /user/logout.do HTTP/1.1\r\n$host\r\n" ],
    [ 'a body that does not come', "POST /user/login.do HTTP/1.1\r\n$host\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{" ]) {
    my ($name, $bytes) = @$slow;
    my $before = time;
    my $reply = raw($bytes, 25);
    cmp_ok(time - $before, '<', 22, "$name is not waited for");
    unlike($reply, qr/"status":0/, "$name: no success");
}
done();
