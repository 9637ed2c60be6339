# Requests that nobody sends by accident: each gets the contract's refusal or a plain error of httpd's, nothing is
# stored, no child dies.
# matrix: all
use lib 't/lib';
use Account::Test;

my $password = canary('Sesame-hostile-1');
my $server = Account::Server->new(modules => ['reqtimeout'], conf => "RequestReadTimeout header=3 body=2\nLimitRequestLine 8190\n")->start;
my $port = $server->port;
my $host = "127.0.0.1:$port";
my $strict = JSON::PP->new->utf8;

sub register_form { return "username=$_[0]&password=$password&email=$_[0]\@example.com" }

is($server->post('/user/register.do', body => register_form('geely'),
    headers => { 'Content-Type' => 'application/x-www-form-urlencoded' })->{text}, '{"status":0,"msg":"注册成功"}', 'a user');
my $jar = Account::Jar->new;
$server->post('/user/login.do', form => { username => 'geely', password => $password }, cookie => $jar);
my $session = canary($jar->get('mmall_login_token'));
my $second = Account::Jar->new;    # its token is sent where logs may show it
$server->post('/user/login.do', form => { username => 'geely', password => $password }, cookie => $second);
my $other = $second->get('mmall_login_token');

sub everything { return join '|', map { scalar $server->sql("SELECT COUNT(*) FROM $_") } qw(account account_identifier
    account_session account_code) }
my $before = everything();
my $row = join '|', $server->sql('SELECT * FROM account');
my @children = $server->child_pids;

# What is wrong with a reply, as far as any reply goes: it is the contract's JSON, or a page of httpd's with an error
# that is the client's fault.
sub problems {
    my ($r, $head) = @_;
    return $r->{error} if $r->{error};
    my @problems;
    push @problems, "status $r->{status}" if $r->{status} >= 500 && $r->{status} != 501;
    my $type = ($r->{headers}{'content-type'} || [''])->[0];
    if ($type =~ /json/) {
        push @problems, "Content-Type $type" if $type ne 'application/json; charset=utf-8';
        my $said = $head ? {} : eval { $strict->decode($r->{body}) };
        push @problems, 'no strict JSON' if ref $said ne 'HASH';
        push @problems, 'success' if ref $said eq 'HASH' && defined $said->{status} && $said->{status} eq '0';
        push @problems, 'a cookie' if $r->{headers}{'set-cookie'};
    }
    elsif ($r->{status} < 400 && !$head) { push @problems, "$r->{status} without JSON" }
    return @problems;
}

# One request as bytes; status: what it must be ('' any error); the connection must come to its end.
sub refused {
    my ($name, $bytes, $status, %opt) = @_;
    my ($reply, $error) = $server->raw($bytes, $opt{timeout} // 8);
    my $r = Account::Client::parse($opt{head} ? 'HEAD' : 'POST', $reply);
    my @problems = problems($r, $opt{head});
    push @problems, "status $r->{status}" if $status && $r->{status} !~ /\A(?:$status)\z/;
    push @problems, $error if $error && $error !~ /connection lost/;
    push @problems, 'does not say ' . $opt{says} if $opt{says} && $r->{text} !~ /\Q$opt{says}/;
    ok(!@problems, $name) or diag(join ', ', @problems), diag(substr $reply, 0, 600);
    return $r;
}

sub head {
    my ($method, $path, @lines) = @_;
    return join("\r\n", "$method $path HTTP/1.1", "Host: $host", 'Connection: close', @lines) . "\r\n\r\n";
}

sub form { my ($path, $body, @lines) = @_;
    return head(POST => $path, 'Content-Type: application/x-www-form-urlencoded', 'Content-Length: ' . length $body, @lines) . $body }
sub json { my ($path, $body, @lines) = @_;
    return head(POST => $path, 'Content-Type: application/json', 'Content-Length: ' . length $body, @lines) . $body }

# --- NUL, and what is not UTF-8 ---

my %bytes = (
    'NUL' => "\0", 'a stray byte' => "\xFF", 'half a character' => "\xE5\xBC", 'an overlong slash' => "\xC0\xAF",
    'an overlong NUL' => "\xC0\x80", 'three bytes, overlong' => "\xE0\x80\xAF", 'a surrogate' => "\xED\xA0\x80",
    'beyond the last character' => "\xF4\x90\x80\x80", 'five bytes' => "\xF8\x88\x80\x80\x80",
);
for my $name (sort keys %bytes) {
    my $bytes = $bytes{$name};
    my $escaped = join '', map { sprintf '%%%02X', ord } split //, $bytes;
    my $rest = "&password=$password&email=a\@example.com";
    refused("$name in a query", head(GET => "/user/register.do?username=a${escaped}b$rest"), 200, says => '参数错误');
    refused("$name in a form", form('/user/register.do', "username=a${escaped}b$rest"), 200, says => '参数错误');
    refused("$name in a form as it is", form('/user/register.do', "username=a${bytes}b$rest"), 200, says => '参数错误');
    refused("$name in a name of a form", form('/user/register.do', "a$escaped=b&username=ab$rest"), 200, says => '参数错误');
    refused("$name in JSON", json('/user/register.do',
        qq({"username":"a${bytes}b","password":"$password","email":"a\@example.com"})), 200, says => '参数错误');
    refused("$name in the path", head(GET => "/user/login${escaped}.do"), '400|404');
    refused("$name in the path, ours before it", head(GET => "/user/login.do$escaped"), '400|404');
    refused("$name in a header", form('/user/register.do', "username=ab", "X-Test: a${bytes}b"), '');
}
refused('NUL in the request line', head(GET => "/user/login.do\0?a=b"), 400);
refused('twice encoded', form('/user/login.do', 'username=%2567eely&password=' . $password), 200);

# --- JSON ---

my $tail = qq("password":"$password","email":"a\@example.com");
my %json = (
    'nested 100 deep' => '{"username":"ab","x":' . '[' x 100 . ']' x 100 . ",$tail}",
    'objects 100 deep' => '{"x":' x 100 . '1' . '}' x 100,
    '30000 brackets' => '[' x 30000,
    'an array' => '[]', 'an array of objects' => qq([{"username":"ab",$tail}]), 'a text' => '"ab"', 'a number' => '1', 'null' => 'null',
    'nothing' => ' ', 'a name twice' => qq({"username":"ab","username":"cd",$tail}),
    'a name twice, once escaped' => qq({"username":"ab","\\u0075sername":"cd",$tail}),
    'a name twice, below' => qq({"username":"ab","x":{"y":1,"y":2},$tail,"email":"b\@example.com"}),
    'an object as a value' => qq({"username":{"\$ne":1},$tail}), 'a list as a value' => qq({"username":["ab"],$tail}),
    'NaN' => qq({"username":NaN,$tail}), 'infinity' => qq({"username":1e999,$tail}), 'minus' => qq({"username":-,$tail}),
    'a number with a zero before it' => qq({"username":01,$tail}), 'a hexadecimal number' => qq({"username":0x1,$tail}),
    'more digits than anybody reads' => qq({"username":) . '9' x 400 . qq(,$tail}), 
    'a lone high surrogate' => qq({"username":"a\\ud800b",$tail}), 'a lone low surrogate' => qq({"username":"a\\udfffb",$tail}),
    'surrogates in the wrong order' => qq({"username":"\\udc00\\ud800",$tail}),
    'an escaped NUL' => qq({"username":"a\\u0000b",$tail}), 'an escaped NUL in a name' => qq({"a\\u0000":1,"username":"ab",$tail}),
    'a tab in a text' => qq({"username":"a\tb",$tail}), 'a comment' => qq({"username":"ab",$tail/**/}),
    'a comma too many' => qq({"username":"ab",$tail,}), 'rubbish behind it' => qq({"username":"ab",$tail}x),
    'two objects' => qq({"username":"ab",$tail}) x 2, 'a byte order mark' => "\xEF\xBB\xBF" . qq({"username":"ab",$tail}),
    'UTF-16' => join('', map { "$_\0" } split //, qq({"username":"ab",$tail})),
    'no end' => qq({"username":"ab), 'single quotes' => qq({'username':'ab',$tail}),
);
refused("JSON: $_", json('/user/register.do', $json{$_}), 200, says => '参数错误') for sort keys %json;
refused('JSON: ' . substr($_, 0, 20) . ' as a password', json('/user/login.do', qq({"username":"geely","password":$_})), 200)
    for '0.' . '1' x 60000, '1e308', '-1e308', '1.5e300', '12345678901234567890', '-0', 'true', 'false', 'null', '""', '0.1';

# --- many, large, slow ---

my $many = join '&', map { "p$_=v$_" } 1 .. 1000;
refused('1000 parameters in a form', form('/user/login.do', "$many&username=geely&password=wrong$password"), 200);
refused('1000 parameters in a query', head(GET => '/user/login.do?' . substr($many, 0, 7000)), 200);
refused('1000 times one name', form('/user/login.do', join('&', map { "username=u$_" } 1 .. 1000)), 200, says => '参数错误');
refused('1000 names of JSON', json('/user/login.do', '{' . join(',', map { qq("p$_":$_) } 1 .. 1000) . '}'), 200, says => '参数错误');
refused('only separators', form('/user/login.do', '&' x 30000 . '=' x 30000), 200, says => '参数错误');

my $megabytes = 'x' x (10 * 1024 * 1024);
for my $path ('/user/login.do', '/user/register.do', '/user/get_user_info.do') {
    my $type = 'Content-Type: application/x-www-form-urlencoded';
    my $big = register_form('big') . '&x=';
    refused("$path: 10 MB", head(POST => $path, $type, 'Content-Length: ' . length($big . $megabytes)) . $big . $megabytes, 413,
        says => '请求内容过大');
    refused("$path: 10 MB in chunks", head(POST => $path, $type, 'Transfer-Encoding: chunked')
        . join('', map { "10000\r\n" . substr($megabytes, 0, 65536) . "\r\n" } 1 .. 160) . "0\r\n\r\n", 413, says => '请求内容过大');
    refused("$path: 10 MB kept to itself", head(POST => $path, $type, 'Content-Length: 10485760', 'Expect: 100-continue'), 413);
}
refused('a length of 10^30', head(POST => '/user/login.do', 'Content-Type: application/json', 'Content-Length: 1' . '0' x 30), '400|413');
refused('a negative length', head(POST => '/user/login.do', 'Content-Type: application/json', 'Content-Length: -1'), 400);
refused('two lengths', form('/user/login.do', 'a=b', 'Content-Length: 7'), 400);
refused('a chunk of 2^64', head(POST => '/user/login.do', 'Content-Type: application/json', 'Transfer-Encoding: chunked')
    . "FFFFFFFFFFFFFFFFF\r\n", '400|413');
refused('a chunk of no number', head(POST => '/user/login.do', 'Content-Type: application/json', 'Transfer-Encoding: chunked')
    . "zz\r\n", '4..|200', says => '');
refused('a body that does not come', head(POST => '/user/register.do', 'Content-Type: application/x-www-form-urlencoded',
    'Content-Length: 500') . register_form('slow'), '200|4..');

# --- framing and headers ---

my $ours = form('/user/register.do', register_form('smuggled'));
refused('a length and chunks', head(POST => '/user/login.do', 'Content-Type: application/x-www-form-urlencoded',
    'Content-Length: 4', 'Transfer-Encoding: chunked') . "0\r\n\r\n$ours", '200|400');
refused('chunks and a length, no end asked for', head(POST => '/user/login.do', 'Content-Type: application/x-www-form-urlencoded',
    'Content-Length: 4', 'Transfer-Encoding: chunked') =~ s/Connection: close\r\n//r . "0\r\n\r\n$ours", '200|400');
refused('chunked, chunked', head(POST => '/user/login.do', 'Content-Type: application/json',
    'Transfer-Encoding: chunked, chunked') . "0\r\n\r\n$ours", '200|400|501');
refused('an encoding of its own', head(POST => '/user/login.do', 'Content-Type: application/json',
    'Transfer-Encoding: x') . "0\r\n\r\n$ours", '400|501');
refused('a folded header', head(GET => '/user/get_user_info.do', "X-Test: a\r\n b"), '');
refused('a header without a colon', head(GET => '/user/get_user_info.do', 'X-Test'), 400);
refused('a blank before the colon', form('/user/login.do', 'a=b', 'Transfer-Encoding : chunked'), 400);
refused('two hosts', head(GET => '/user/get_user_info.do', 'Host: evil.example'), 400);
refused('no host', "GET /user/get_user_info.do HTTP/1.1\r\nConnection: close\r\n\r\n", 400);
refused('a session in a cookie of another case', head(GET => '/user/get_user_info.do', "Cookie: MMALL_LOGIN_TOKEN=$other"), 200,
    says => '用户未登录');
refused('a session with a blank in it', head(GET => '/user/get_user_info.do', 'Cookie: mmall_login_token=' . substr($other, 0, 9) . ' '
    . substr $other, 9), 200, says => '用户未登录');
refused('a cookie of ' . length($_) . ' bytes', head(GET => '/user/get_user_info.do', "Cookie: mmall_login_token=$_"), '200|400')
    for 'x' x 8000, '%00' x 100, "\xFF" x 100, ';' x 1000, '=' x 1000;
refused('a thousand cookies', head(GET => '/user/get_user_info.do', 'Cookie: ' . join '; ', map { "mmall_login_token=$_" } 1 .. 300), 200,
    says => '用户未登录');
refused('a request line of 9 KB', head(GET => "/user/login.do?username=geely&password=$password&x=" . 'x' x 9000), 414);
refused('a header of 9 KB', head(GET => '/user/get_user_info.do', 'X-Test: ' . 'x' x 9000), 400);
refused('200 headers', head(GET => '/user/get_user_info.do', map { "X-Test-$_: x" } 1 .. 200), 400);

# --- methods and versions ---

my $query = '?' . register_form('method');
refused("the method $_", head($_, "/user/register.do$query"), 405) for qw(PUT DELETE PATCH PROPFIND LOCK MKCOL);
refused('the method FOO', head(FOO => "/user/register.do$query"), '405|501');
refused('the method get', head(get => "/user/register.do$query"), '400|405|501');
refused('TRACE', head(TRACE => "/user/register.do$query"), '', says => '');
refused('CONNECT', head(CONNECT => "$host"), '4..');
refused('CONNECT to a path', head(CONNECT => "/user/register.do?username=method"), '4..');    # httpd prints it at debug
refused('HEAD', head(HEAD => "/user/register.do$query"), 405, head => 1);
refused('OPTIONS', head(OPTIONS => "/user/register.do$query"), 200, head => 1);
refused('OPTIONS *', head(OPTIONS => '*'), 200, head => 1);
refused('PRI', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", '400|405|501|505');
refused('HTTP/1.0 without a host', "GET /user/login.do?username=geely HTTP/1.0\r\n\r\n", '200|400');
refused('a line that ends in LF only', "GET /user/register.do$query HTTP/1.1\nHost: $host\n\n", 400);
refused('a TLS handshake', "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03" . 'x' x 500 . "\r\n\r\n", 400);
my $old = $server->raw("GET /user/register.do$query\r\n");
unlike($old, qr/"status":0/, 'HTTP/0.9: no success');
my $trace = $server->raw(head(TRACE => '/user/login.do', "Cookie: mmall_login_token=$session"));
unlike($trace, qr/\Q$session/, 'TRACE does not show the cookie');
my $pipeline = join '', map { s/Connection: close\r\n//r } (form('/user/login.do', '%')) x 5;
my $answer = $server->raw($pipeline . head(GET => '/user/get_user_info.do'));
is(scalar(() = $answer =~ m{HTTP/1\.1 200}g), 6, 'six in a pipeline: six answers');

# --- after all that ---

is(everything(), $before, 'nothing is stored, nothing is gone');
is(join('|', $server->sql('SELECT * FROM account')), $row, 'the account is as it was');
is($server->get('/user/get_user_info.do', cookie => $jar)->{json}{data}{username}, 'geely', 'its session too');
my %alive = map { $_ => 1 } $server->child_pids;
ok(!(grep { !$alive{$_} && $server->{mpm} eq 'event' } @children), 'no child died');
done();
