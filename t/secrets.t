# Passwords, answers, tokens: in no log of httpd's, not on its status page, not in the database, whatever way they came.
# matrix: db
use lib 't/lib';
use Account::Race 'background';
use Account::Test;
use Time::HiRes qw(time sleep);

my $server = Account::Server->new(modules => ['reqtimeout'],
    mounts => "AccountMount /user mmall\nAccountMount /other mmall\n",
    conf => "LimitRequestLine 2000\nRequestReadTimeout header=3 body=3\n"
        . qq(LogFormat "%r|%q|%U|%f|%{Referer}i|%{Cookie}i|%l|%m|%H|%V" wide\nCustomLog "\@DIR\@/logs/wide_log" wide\n)
        . "RewriteEngine On\nRewriteRule ^/signin\$ /user/login.do [PT,QSA]\nRewriteRule ^/secret/(.*)/(.*)\$ /user/login.do?username=\$1 [PT,QSA]\n"
        . "RewriteRule ^/away\$ /static.txt [PT]\n")->start;
my $port = $server->port;
my $host = "127.0.0.1:$port";
my $number = 0;

# A new secret in an address, and what of it is wanted back.
sub secret { return canary(sprintf 'Geheim-%03d-%s', ++$number, join '', map { ('a' .. 'z')[ rand 26 ] } 1 .. 8) }

# The same, for what httpd itself writes down before any module is asked: the forensic log an address that is rewritten
# later, the error log at debug a line that is no request. To be found nowhere else.
my %known;
sub secret_but_in {
    my ($log) = @_;
    my $secret = sprintf 'Geheim-%03d-%s', ++$number, join '', map { ('a' .. 'z')[ rand 26 ] } 1 .. 8;
    $known{$secret} = $log;
    return $secret;
}

sub get_raw {
    my ($name, $path, %opt) = @_;
    my $method = $opt{method} // 'GET';
    my ($reply) = $server->raw("$method $path " . ($opt{version} // 'HTTP/1.1') . "\r\n"
        . join('', map { "$_\r\n" } $opt{host} // "Host: $host", 'Connection: close', @{ $opt{headers} || [] }) . "\r\n", 5);
    my $status = $reply =~ m{\AHTTP/1\.\d (\d+)} ? $1 : 0;
    like($status, qr/\A(?:$opt{status})\z/, $name) or diag(substr $reply, 0, 300);
    return $reply;
}

# --- a user with everything that is secret ---

my $password = secret();
my $answer = secret();
my $registered = $server->post('/user/register.do', form => { username => 'geely', password => $password,
    email => 'geely@example.com', question => 'city', answer => $answer });
is($registered->{text}, '{"status":0,"msg":"注册成功"}', 'registers');
my $jar = Account::Jar->new;
is($server->post('/user/login.do', json => { username => 'geely', password => $password }, cookie => $jar)->{json}{status}, 0, 'JSON');
my @tokens = canary($jar->get('mmall_login_token'));
is($server->get('/user/get_user_info.do', cookie => $jar)->{json}{data}{answer}, $answer, 'the session');
my $r = $server->get('/user/forget_check_answer.do', query => { username => 'geely', question => 'city', answer => $answer });
push @tokens, canary($r->{json}{data});
like($tokens[1], qr/\A[0-9a-f-]{36}\z/, 'a token for a new password');
my @passwords = ($password);

# --- in the address, in all its spellings ---

for my $path ('/user/login.do', '/user/%6cogin.do', '/user/%6Cogin%2Edo', '//user//login.do', '/user/./login.do',
    '/x/../user/login.do', '/user/login.do/', '/USER/login.do', '/user/LOGIN.DO', '/user/login.do;x=1', '/user/login.do%20',
    '/user/%2e/login.do', '/user%2Flogin.do', '/other/login.do', '/signin', '/secret/geely/x', "http://$host/user/login.do",
    '/user/nothing.do', '/user/') {
    for my $method (qw(GET POST HEAD PUT OPTIONS DELETE FOO)) {
        # where it is no route, what it carries is nobody's secret: then only the right spellings are canaries
        my $value = $path =~ m{USER|LOGIN|;|%20|%2F|nothing|/\z}i && $path !~ m{\A(?:/user/login\.do/?|/user/%6cogin\.do)\z}
            && $path !~ m{%6C} ? 'nobody' : $path =~ m{\A/s} ? secret_but_in('forensic_log') : secret();
        get_raw("$method $path", "$path?username=geely&password=$value", method => $method, status => '200|[345]\d\d');
    }
}
get_raw('a right password by GET', "/user/login.do?username=geely&password=$password", status => 200);
like($server->post('/signin', form => { username => 'geely', password => $password })->{text}, qr/登录成功/, 'a rewritten address');
get_raw('twice in the query', '/user/login.do?password=' . secret() . '&password=' . secret(), status => 200);
get_raw('escaped', '/user/login.do?username=geely&p%61ssword=' . join('', map { sprintf '%%%02x', ord } split //, secret()), status => 200);
get_raw('another name', '/user/login.do?x=' . secret(), status => 200);
get_raw('two question marks', '/user/login.do?username=geely?password=' . secret() . '?x', status => 200);
get_raw('as the Referer', '/static.txt', headers => [ "Referer: http://$host/user/login.html" ], status => 200);
get_raw('in our Referer', '/user/login.do?username=geely&password=x', status => 200,
    headers => [ "Referer: http://$host/user/login.do?username=geely&password=" . secret() ]);
get_raw('in the Referer of a request without a query', '/user/login.do', status => '200|[45]\d\d',
    headers => [ "Referer: http://$host/reset.html?forgetToken=" . secret() ]);
get_raw('a blank in the query', '/user/login.do?username=a b&password=' . secret(), status => '200|400');
get_raw('a path with a bad escape', '/user/login.do%zz?password=' . secret(), status => 400);
get_raw('a path beyond the root', '/user/../../user/login.do?password=' . secret(), status => 400);
get_raw('refused by the gate', '/user/login.do?username=geely&password=' . secret(), status => 403,
    headers => ['Sec-Fetch-Site: cross-site']);

# --- requests that die early ---

# What follows a body whose length was said too small is read as the next request.
sub form_with_more {
    my ($body) = @_;
    return "POST /user/login.do HTTP/1.1\r\nHost: $host\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        . "Content-Length: 15\r\n\r\n$body\r\n\r\n";
}

get_raw('a bad Host', '/user/login.do?username=geely&password=' . secret(), host => 'Host: a b/c', status => 400);
get_raw('two Hosts', '/user/login.do?username=geely&password=' . secret(), headers => ['Host: evil'], status => 400);
get_raw('no Host', '/user/login.do?username=geely&password=' . secret(), host => 'X-Test: x', status => 400);
get_raw('a line that is too long', '/user/login.do?password=' . secret() . '&x=' . 'x' x 3000, status => 414);
get_raw('a bad header', '/user/login.do?password=' . secret(), headers => ['no colon'], status => 400);
get_raw('a header that is too long', '/user/login.do?password=' . secret(), headers => [ 'X-Test: ' . 'x' x 9000 ], status => 400);
get_raw('a bad length', '/user/login.do?password=' . secret(), method => 'POST', headers => ['Content-Length: x'], status => 400);
get_raw('a bad version', '/user/login.do?password=' . secret(), version => 'HTTP/x.y', status => 400);
get_raw('HTTP/1.0', '/user/login.do?username=geely&password=' . secret(), version => 'HTTP/1.0', status => 200);
get_raw('an expectation', '/user/login.do?password=' . secret(), headers => ['Expect: miracles'], status => '200|417');
get_raw('TRACE', '/user/login.do?password=' . secret(), method => 'TRACE', status => '200|40[35]');
for my $raw ('GET /user/login.do?password=' . secret(), 'GET /user/login.do?password=' . secret() . "\r\n",
    'GET /user/login.do?password=' . secret() . " HTTP/1.1\nHost: $host\n\n",
    "GET\t/user/login.do?password=" . secret() . " HTTP/1.1\r\nHost: $host\r\n\r\n",
    'GET /user/login.do?password=' . secret() . "\0x HTTP/1.1\r\nHost: $host\r\n\r\n",
    'GET /user/login.do?password=' . secret() . " x y HTTP/1.1\r\nHost: $host\r\n\r\n",
    'GET /user/login.do?password=' . secret() . "%zz HTTP/1.1\r\nHost: $host\r\n\r\n",
    'GET /user/login.do?password=' . secret() . "#frag HTTP/1.1\r\nHost: $host\r\n\r\n",
    'password=' . secret_but_in('error_log') . "\r\n\r\n", '{"password":"' . secret_but_in('error_log') . "\"}\r\n\r\n",
    form_with_more('username=geely&password=' . secret_but_in('error_log')),
    "POST /user/login.do HTTP/1.1\r\nHost: $host\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"password\":\"" . secret(),
) {
    my $reply = $server->raw($raw, 5) // '';
    unlike($reply, qr/Geheim/, 'and no reply repeats it: ' . substr($raw =~ s/[^ -~]/./gr, 0, 30));
}

# --- in the body, in cookies ---

my @bodies = (
    [ 'application/x-www-form-urlencoded', 'username=geely&password=' . secret() . '&password=' . secret() ],
    [ 'application/x-www-form-urlencoded', 'username=geely&password=' . secret() . '%zz' ],
    [ 'application/json', '{"username":"geely","password":"' . secret() . '"' ],
    [ 'application/json', '{"username":"geely","password":["' . secret() . '"]}' ],
    [ 'text/plain', 'password=' . secret() ], [ 'multipart/form-data; boundary=x', "--x\r\n\r\n" . secret() . "\r\n--x--\r\n" ],
    [ 'application/x-www-form-urlencoded', 'username=geely&password=' . secret() . '&x=' . 'x' x 70000 ],
    [ 'application/x-www-form-urlencoded', 'username=' . 'x' x 300 . '&password=' . secret() . "\xFF" ],
);
for (@bodies) {
    my ($type, $body) = @$_;
    my $got = $server->post('/user/login.do', body => $body, headers => { 'Content-Type' => $type });
    like($got->{status}, qr/\A(?:200|413|415)\z/, "a body of $type");
    unlike($got->{text}, qr/Geheim/, 'which the reply does not repeat');
}
my $dead = $tokens[0] =~ s/\A(.)/$1 eq 'x' ? 'y' : 'x'/er;
canary($dead);
for my $cookie ("mmall_login_token=$dead", "a=b; mmall_login_token=$tokens[0]; c=d", "mmall_login_token=$tokens[0]; mmall_login_token=$dead",
    "  mmall_login_token=$tokens[0]") {
    is($server->get($_, headers => { Cookie => $cookie })->{status}, 200, 'a cookie') for '/user/get_user_info.do', '/static.txt', '/away';
}
for my $cookies ([ 'a=b', "mmall_login_token=$tokens[0]" ], [ "mmall_login_token=$tokens[0]", 'a=b' ]) {
    is($server->get($_, headers => { Cookie => $cookies })->{status}, 200, 'two Cookie headers')
        for '/user/get_user_info.do', '/static.txt';
}
is($server->get('/nothing', headers => { Cookie => "mmall_login_token=$tokens[0]" })->{status}, 404, 'a cookie where nothing is');

# --- the status page while requests run ---

my @slow = map { secret() } 1 .. 8;
my $running = background(8, sub {
    my ($i) = @_;
    my $until = time + 3;
    while (time < $until) {
        $server->get("/user/login.do?username=geely&password=$slow[$i]");
        $server->raw("GET /user/login.do?username=geely&password=$slow[$i] HTTP/1.1\r\nHost: a b\r\n\r\n", 2);
        # and one whose body lets the server wait
        $server->raw("POST /user/login.do?password=$slow[$i] HTTP/1.1\r\nHost: $host\r\nContent-Type: application/json\r\n"
            . "Content-Length: 9\r\n\r\n{", 0.2);
    }
    return 1;
});
my $pages = 0;
for (1 .. 60) { $pages += $server->get('/server-status')->{status} == 200; sleep 0.04 }
$running->();
is($pages, 60, 'the status page');
like($server->{fetched}, qr{/user/login\.do}, 'the status page shows our requests');

# --- secrets that change: all kept somewhere ---

my $new = secret();
is($server->get('/user/reset_password.do', query => { passwordOld => $password, passwordNew => $new }, cookie => $jar)->{json}{status}, 0,
    'another password');
push @passwords, $new;
push @tokens, canary($jar->get('mmall_login_token'));
my $newer = secret();
is($server->get('/user/forget_reset_password.do',
    query => { username => 'geely', passwordNew => secret(), forgetToken => $tokens[1] })->{json}{status}, 1, 'which ends the token');
$r = $server->get('/user/forget_check_answer.do', query => { username => 'geely', question => 'city', answer => $answer });
push @tokens, canary($r->{json}{data});
is($server->get('/user/forget_reset_password.do',
    query => { username => 'geely', passwordNew => $newer, forgetToken => $tokens[-1] })->{json}{status}, 0, 'a forgotten password');
push @passwords, $newer;
is($server->get('/user/login.do', query => { username => 'geely', password => $newer }, cookie => $jar)->{json}{status}, 0, 'logs in');
push @tokens, canary($jar->get('mmall_login_token'));
my $other = secret();
is($server->get('/user/update_information.do', query => { question => 'pet', answer => $other }, cookie => $jar)->{json}{status}, 0,
    'another answer');
$r = $server->get('/user/forget_check_answer.do', query => { username => 'geely', question => 'pet', answer => $other });
push @tokens, canary($r->{json}{data});

# --- the database ---

my @tables = $server->{db} eq 'mysql' ? $server->sql('SHOW TABLES')
    : $server->sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'account%'");
cmp_ok(scalar @tables, '>=', 5, 'tables');
my $dump = join "\n", map { my $table = $_; "-- $table", $server->sql("SELECT * FROM $table") } sort @tables;
$dump .= join '', map { slurp($_) } glob "$server->{dir}/account.db*" if $server->{db} eq 'sqlite3';
like($dump, qr/geely\@example\.com/, 'the dump has the account');
like($dump, qr/\$argon2id\$/, 'its password as a hash');
my @found = grep { $dump =~ Account::Test::forms_of($_) } @passwords, @tokens, $answer, $other;
ok(!@found, 'the dump has no password, token or answer') or diag("@found");
my @hex = grep { my $hex = join '', map { sprintf '%02x', ord } split //; $dump =~ /\Q$hex/i } @passwords, @tokens, $answer, $other;
ok(!@hex, 'nor in hexadecimal') or diag("@hex");
(my $bare = $dump) =~ tr/-//d;
ok(!(grep { my $token = $_ =~ tr/-//dr; $bare =~ /\Q$token/ } @tokens), 'nor a token without its dashes');
my $logs = $server->logs;
for my $log (sort keys %$logs) {
    my @there = grep { $known{$_} ne $log && $logs->{$log} =~ Account::Test::forms_of($_) } sort keys %known;
    ok(!@there, "$log: no secret that another log must hold") or diag("@there");
}
cmp_ok(scalar(grep { length } split /\n/, $server->access_log), '>', 150, 'the access log has it all');
cmp_ok(length $server->forensic_log, '>', 10000, 'and the forensic log');
done();
