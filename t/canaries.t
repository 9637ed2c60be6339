# Whatever a client of any contract shows or is given that is secret: passwords, sessions, codes, links, captchas, answers,
# device cookies, and the texts of messages. None stands in clear in a log, on the status page or in the database,
# a message that still waits included. (What odd requests could leave in logs: secrets.t.)
# matrix: db
use lib 't/lib';
use Account::Case;
use Account::Test;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Time::HiRes 'sleep';

my $gateway = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20) or die "no port: $@\n";    # takes, says nothing
my %mounts = (
    mmall      => ['AccountMount /user mmall'],
    kalengo    => [ 'AccountMount /mobileapi/customer kalengo', 'AccountMount /account links' ],
    youhaosuda => [ 'AccountMount /api/v1 youhaosuda', 'AccountMount /account links', 'AccountLimit captcha-target 1/10m' ],
    guochuang  => [ 'AccountMount /user guochuang', 'AccountMount /management management' ],
    jintong    => ['AccountMount / jintong'],
    waiting    => [ 'AccountMount /user guochuang', 'AccountMount /mobileapi/customer kalengo', 'AccountMount /account links',
        'AccountSms http://127.0.0.1:' . $gateway->sockport . '/send @DIR@/sms.json', 'AccountMail file:@DIR@/gone/mail.jsonl' ],
);
my $server = Account::Server->new(
    mounts => '',
    files => { 'sms.json' => '{"json": {"phone": "%{to}", "code": "%{code}", "link": "%{link}"}, "success": {"status": [200]}}', 'gone/x' => '' },
    conf => "AccountSms file:\@DIR\@/messages.jsonl\nAccountMail file:\@DIR\@/messages.jsonl\n",
    vhost => [ map { join "\n", "ServerName $_.test", "AccountRealm $_", "AccountPublicURL http://$_.test",
        @{ $mounts{$_} } } sort keys %mounts ],
)->start;
unlink $server->dir . '/gone/x';
rmdir $server->dir . '/gone' or die "rmdir: $!\n";
my $json = JSON::PP->new->utf8;

# --- the secrets ---

my %kind_of;    # secret => what it is
my $number = 0;
sub keep {
    my ($kind, $secret) = @_;
    length $secret or die "no $kind\n";
    $kind_of{$secret} = $kind;
    canary($secret) if length $secret >= 6;
    return $secret;
}
sub password { return keep(password => sprintf 'Canary-pw-%03d-%s', ++$number, join '', map { ('a' .. 'z')[ rand 26 ] } 1 .. 8) }
sub answer   { return keep(answer   => sprintf 'Canary-answer-%03d-%s', ++$number, join '', map { ('a' .. 'z')[ rand 26 ] } 1 .. 8) }

# A message's secrets: what it tells, and each line of its text.
sub keep_message {
    my ($message) = @_;
    keep(code => $message->{code}) if $message->{code};
    if ($message->{link}) {
        my ($token) = $message->{link} =~ /token=([^&]+)\z/;
        keep(link => $token);
    }
    keep(text => $_) for grep { length > 12 && / / } split /\n/, $message->{text};    # not the site's name
    return $message;
}

# --- how they are looked for ---

# Short ones as words of their own: digests are full of digits. The rest as it is, in base64 and in hexadecimal.
sub form_of {
    my ($secret) = @_;
    utf8::encode($secret) if utf8::is_utf8($secret);
    return qr/(?<![0-9a-zA-Z])\Q$secret\E(?![0-9a-zA-Z])/i if length $secret < 6;
    return qr/(?<![0-9a-f.])$secret(?![0-9a-f])/ if $secret =~ /\A\d{6}\z/;
    my $hex = unpack 'H*', $secret;
    my $plain = Account::Test::forms_of($secret);
    return qr/$plain|$hex|\U$hex/;
}

# {kind => [secrets]} of those that are in the text.
sub found_in {
    my ($text, @secrets) = @_;
    my %found;
    for my $secret (@secrets) {
        my $form = form_of($secret);
        push @{ $found{ $kind_of{$secret} // 'planted' } }, $secret if grep { $_ =~ $form } ref $text ? @$text : $text;
    }
    return \%found;
}

sub dump_of_database {
    my @tables = $server->{db} eq 'mysql' ? $server->sql('SHOW TABLES')
        : $server->sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'account%'");
    @tables >= 9 or die "tables: @tables\n";
    my $dump = join "\n", map { ("-- $_", $server->sql("SELECT * FROM $_")) } sort @tables;
    utf8::encode($dump);
    return $dump . join '', $server->{db} eq 'sqlite3' ? map { slurp($_) } glob "$server->{dir}/account.db*" : ();
}

sub nothing_in {
    my ($name, $text) = @_;
    my $found = found_in($text, keys %kind_of);
    my %kinds = map { $_ => 1 } values %kind_of;
    ok(!$found->{$_}, "$name: no $_") or diag(join "\n", @{ $found->{$_} }) for sort keys %kinds;
}

# --- clients ---

my %jars;

# A request of that contract's client, and a look at the status page. Every cookie that it gets is a secret.
sub visit {
    my ($host, $method, $path, %opt) = @_;
    my $jar = $jars{$host} ||= Account::Jar->new;
    my $r = $server->request($method, $path, %opt, cookie => $jar, headers => { Host => "$host.test" });
    $server->get('/server-status');
    keep($_ eq 'account_device' ? 'device cookie' : 'session' => $r->{cookies}{$_}{value})
        for grep { length $r->{cookies}{$_}{value} } keys %{ $r->{cookies} };
    return $r;
}

# One whose reply must have this in it.
sub must {
    my ($name, $want, @request) = @_;
    my $r = visit(@request);
    like("$r->{status} $r->{text}", $want, "$request[0]: $name");
    return $r;
}

my %read;
sub message_to {
    my ($to) = @_;
    my @messages;
    wait_until(15, sub { @messages = grep { $_->{to} eq $to } Account::Case::messages($server); @messages > ($read{$to} // 0) })
        or die "no message to $to\n";
    return keep_message($messages[ $read{$to}++ ]);
}
sub code_to { my ($to) = @_; return message_with(code => $to) }
sub message_with {
    my ($part, $to) = @_;
    for (1 .. 5) { my $message = message_to($to); return $message->{$part} if $message->{$part} }
    die "no $part for $to\n";
}
sub token_to { my ($to) = @_; return message_with(link => $to) =~ s/.*token=//r }

# mmall: the question and its answer, and GET as well as POST
{
    my ($first, $second, $third, $answer, $other) = (password(), password(), password(), answer(), answer());
    must('registers', qr/注册成功/, mmall => POST => '/user/register.do', form => { username => 'geely', password => $first,
        email => 'geely@mmall.example', question => 'city', answer => $answer });
    must('a wrong password', qr/密码错误/, mmall => GET => '/user/login.do', query => { username => 'geely', password => password() });
    must('logs in', qr/登录成功/, mmall => GET => '/user/login.do', query => { username => 'geely', password => $first });
    must('a wrong answer', qr/答案错误/, mmall => GET => '/user/forget_check_answer.do',
        query => { username => 'geely', question => 'city', answer => answer() });
    my $r = must('the answer', qr/"status":0/, mmall => GET => '/user/forget_check_answer.do',
        query => { username => 'geely', question => 'city', answer => $answer });
    my $token = keep('token of an answer' => $r->{json}{data});
    must('the next password', qr/成功/, mmall => GET => '/user/forget_reset_password.do',
        query => { username => 'geely', passwordNew => $second, forgetToken => $token });
    must('logs in again', qr/登录成功/, mmall => POST => '/user/login.do', json => { username => 'geely', password => $second });
    must('another answer', qr/成功/, mmall => POST => '/user/update_information.do', form => { question => 'pet', answer => $other });
    must('the third password', qr/成功/, mmall => POST => '/user/reset_password.do',
        form => { passwordOld => $second, passwordNew => $third });
}

# kalengo: a session in the body, a link in a mail
{
    my ($first, $second, $third, $to) = (password(), password(), password(), 'leo@kalengo.example');
    my $api = '/mobileapi/customer';
    my $r = must('registers', qr/"code":0/, kalengo => GET => "$api/register",
        query => { email => $to, pwd => $first, firstname => 'leo', lastname => 'liu' });
    is(keep(session => $r->{json}{model}{session}), $jars{kalengo}->get('frontend'), 'kalengo: a session in the body');
    must('a wrong password', qr/Invalid login/, kalengo => GET => "$api/login", query => { username => $to, password => password() });
    must('logs in', qr/"code":0/, kalengo => GET => "$api/login", query => { username => $to, password => $first });
    must('another password', qr/success/, kalengo => GET => "$api/updatePassword",
        query => { password => $first, new_password => $second });
    must('forgets it', qr/has sent/, kalengo => GET => "$api/forgotpwd", query => { email => $to });
    my $token = token_to($to);
    must('the page', qr/\Q$token/, kalengo => GET => '/account/reset', query => { token => $token });
    must('too short', qr/\A400/, kalengo => POST => '/account/reset',
        query => { token => $token }, form => { password => '123', password_again => '123' });
    must('a third', qr/\A200/, kalengo => POST => '/account/reset',
        form => { token => $token, password => $third, password_again => $third });
    must('logs in with it', qr/"code":0/, kalengo => POST => "$api/login", json => { username => $to, password => $third });
    must('is in', qr/"code":0/, kalengo => GET => "$api/status");
}

# youhaosuda: activation, captchas, codes
{
    my ($first, $second, $third, $fourth) = map { password() } 1 .. 4;
    my ($to, $phone) = ('a@youhao.example', '13941000001');
    my $api = '/api/v1/account';
    my $twice = sub { my ($secret, %more) = @_; return { password => $secret, password_again => $secret, %more } };
    must('registers', qr/"code":200/, youhaosuda => POST => "$api/register_with_email", form => $twice->($first, account => $to));
    my $token = token_to($to);
    must('the page', qr/\Q$token/, youhaosuda => GET => '/account/activate', query => { token => $token });
    must('is active', qr/\A200/, youhaosuda => POST => '/account/activate', form => { token => $token });
    must('logs in', qr/"code":200/, youhaosuda => POST => "$api/login", form => { account => $to, password => $first });
    must('another password', qr/"code":200/, youhaosuda => POST => "$api/change_password",
        form => $twice->($second, password_old => $first));
    must('forgets it', qr/"code":200/, youhaosuda => POST => "$api/reset_password_with_email", form => { email => $to });
    $token = token_to($to);
    must('a third', qr/\A200/, youhaosuda => POST => '/account/reset', form => $twice->($third, token => $token));
    must('a code', qr/"code":200/, youhaosuda => POST => "$api/send_regist_validate_sms", form => { mobile => $phone });
    code_to($phone);
    must('no second one', qr/"code":214/, youhaosuda => POST => "$api/send_regist_validate_sms", form => { mobile => $phone });
    for my $try ('wrong', 'right') {
        my $id = must('a captcha', qr/"code":200/, youhaosuda => GET => '/api/v1/captcha')->{json}{id};
        must('its picture', qr/PNG/, youhaosuda => GET => "/api/v1/captcha/$id");
        my $text = keep(captcha => Account::Case::captcha_text($server, 'youhaosuda', $id));
        $text = keep(captcha => $text =~ s/\A(.)/$1 eq 'X' ? 'Y' : 'X'/er) if $try eq 'wrong';
        my $code = $try eq 'wrong' ? 214 : 200;
        must("a $try captcha", qr/"code":$code/, youhaosuda => POST => "$api/send_regist_validate_sms",
            form => { mobile => $phone, captcha_id => $id, captcha_value => $text });
    }
    must('registers the number', qr/"code":200/, youhaosuda => POST => "$api/register_with_mobile",
        form => $twice->($third, account => $phone, verify_code => code_to($phone)));
    must('forgets that', qr/"code":200/, youhaosuda => POST => "$api/send_reset_validate_sms", form => { mobile => $phone });
    must('a fourth', qr/"code":200/, youhaosuda => POST => "$api/reset_password_with_mobile",
        form => $twice->($fourth, account => $phone, verify_code => code_to($phone)));
}

# guochuang, and management for its administrator
{
    my ($first, $second, $phone) = (password(), password(), '13941000002');
    must('registers', qr/successful/, guochuang => POST => '/user/register', json => { account => 'anna', password => $first });
    must('another', qr/successful/, guochuang => POST => '/user/register', json => { account => 'bert', password => password() });
    for my $route (qw(registerPhone loginPhone forgetPassword)) {
        must("a code: $route", qr/\A200/, guochuang => GET => "/user/$route/$phone");
        my $code = code_to($phone);
        my $bad = keep(code => $code =~ s/\A(.)/($1 + 1) % 10/er);
        must("a wrong code: $route", qr/\A4/, guochuang => POST => "/user/$route/$phone",
            json => { identifying_code => $bad, new_password => $second });
        must("the code: $route", qr/successful/, guochuang => POST => "/user/$route/$phone",
            json => { identifying_code => $code, new_password => $second });
    }
    must('logs out', qr/successful/, guochuang => POST => '/user/logout',
        json => { user_id => $server->sql("SELECT id FROM account WHERE mobile = '$phone'") });
    $server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'anna'");
    must('the administrator', qr/successful/, guochuang => POST => '/user/login', json => { account => 'anna', password => $first });
    must("management: $_", qr/"ok":true/, guochuang => POST => "/management/$_",
        json => { account => 'bert', role => 'creator' }) for qw(role disable enable);
}

# jintong: passwords and codes in base64
{
    my ($first, $second, $to) = (password(), password(), '13941000003');
    my $encoded = sub { my ($secret) = @_; return keep('base64' => encode_base64($secret, '')) };
    my $ok = qr/"status_code":"200"/;
    must('a code', $ok, jintong => POST => '/code/send', json => { mobile => encode_base64($to, '') });
    must('registers', $ok, jintong => POST => '/i/register',
        json => { username => $to, password => $encoded->($first), code => $encoded->(code_to($to)) });
    must('a wrong password', qr/3202/, jintong => POST => '/i/login', json => { username => $to, password => $encoded->(password()) });
    must('another code', $ok, jintong => POST => '/code/send', form => { username => $to });
    must('logs in', $ok, jintong => POST => '/i/login',
        form => { username => $to, password => $encoded->($first), validate_code => code_to($to) });
    must('a third', $ok, jintong => POST => '/code/send', form => { username => $to });
    must('a new password', $ok, jintong => POST => '/i/resetpwd',
        query => { username => $to, password => $encoded->($second), code => $encoded->(code_to($to)) });
    must('logs in with it', $ok, jintong => POST => '/i/login', query => { username => $to, password => $encoded->($second) });
}

# --- messages that wait ---

my $rows = "SELECT COUNT(*) FROM account_message WHERE";
my ($phone, $mail) = ('13941000004', 'waits@example.com');
must('a mail', qr/"code":0/, waiting => POST => '/mobileapi/customer/register',
    form => { email => $mail, pwd => password(), firstname => 'a', lastname => 'b' });
must('one that is kept', qr/has sent/, waiting => POST => '/mobileapi/customer/forgotpwd', form => { email => $mail });
must('a code', qr/\A200/, waiting => GET => "/user/registerPhone/$phone");
$gateway->timeout(15);
my $asking = $gateway->accept or die "nobody asks the gateway\n";
my $asked = '';
1 while $asked !~ /\r\n\r\n\{.*\}/s && sysread $asking, $asked, 4096, length $asked;
my ($code) = $asked =~ /"code":\s*"(\d{6})"/ or die "the gateway is asked: $asked\n";
keep(code => $code);
is($server->sql("$rows realm = 'waiting' AND done = 0 AND LENGTH(content) > 40"), 2, 'two messages wait, and have a content');
is($server->sql("$rows realm = 'waiting' AND recipient IN ('$phone', '$mail')"), 2, 'the recipients are told');
my $while_waiting = dump_of_database();

syswrite $asking, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
close $asking;
mkdir $server->dir . '/gone', 0777;
chmod 0777, $server->dir . '/gone';
my $late = $server->dir . '/gone/mail.jsonl';
ok(wait_until(90, sub { slurp($late) =~ /\n\z/ }), 'the mail goes out');
keep_message($json->decode($_)) for split /\n/, slurp($late);
ok(wait_until(20, sub { $server->sql("$rows done = 0") == 0 }), 'and nothing waits any more');
is($server->sql("$rows content <> ''"), 0, 'what was delivered is erased');
cmp_ok($server->sql("$rows done > 0"), '>=', 14, 'and there were many');

# --- the search ---

my %count;
$count{$_}++ for values %kind_of;
my %wanted = (password => 19, answer => 3, session => 10, 'device cookie' => 6, code => 12, link => 4, captcha => 3,
    text => 10, base64 => 5, 'token of an answer' => 1);
cmp_ok($count{$_} // 0, '>=', $wanted{$_}, "secrets of the kind $_") for sort keys %wanted;

my $dump = dump_of_database();
like($dump, qr/geely\@mmall\.example/, 'the dump has accounts');
like($dump, qr/\$argon2id\$/, 'with hashes');
like($while_waiting, qr/\Q$mail/, 'and the other one the message that waited');
nothing_in('the database while messages wait', $while_waiting);
nothing_in('the database', $dump);
my $logs = $server->logs;
for my $log (sort keys %$logs) {
    my @readings = Account::Test::readings_of($logs->{$log});
    my $found = found_in(\@readings, keys %kind_of);
    ok(!%$found, "$log: nothing") or diag(join "\n", map { "$_: @{ $found->{$_} }" } sort keys %$found);
}
cmp_ok(length $logs->{error_log}, '>', 20000, 'the error log tells much');
like($logs->{'server-status'}, qr{/i/login}, 'the status page shows our requests');

# --- it would be found ---

my %key_of = (account => 'id', account_point => 'id', account_message => 'ref', account_code => 'digest', account_session => 'digest');
my @tries = (password => 'Planted-pw-77-abcdefgh', code => '907351', captcha => 'QXWZK', session => 'nt4tzb3xr6wq2yd5mlk7hgfeja');
my @places = (
    [ account => attributes => '{"x":"%s"}' ], [ account_code => digest => '%s' ], [ account_message => content => '{"text":"it is %s."}' ],
    [ account_session => agent => '%s' ], [ account_point => description => '%s' ],
);
$server->sql("INSERT INTO account_point (account, amount, description, created) VALUES (1, 1, 'x', 1)");
while (my ($kind, $planted) = splice @tries, 0, 2) {
    is_deeply(found_in($dump, $planted), {}, "planted: a $kind is not there before");
    for my $place (@places) {
        my ($table, $column, $form) = @$place;
        my $key = $key_of{$table};
        my ($row) = $server->sql("SELECT MIN($key) FROM $table");
        my ($before) = $server->sql("SELECT COALESCE($column, '') FROM $table WHERE $key = '$row'");
        my $now = sprintf $form, $planted;
        $server->sql("UPDATE $table SET $column = '$now' WHERE $key = '$row'");
        is_deeply(found_in(dump_of_database(), $planted), { planted => [$planted] }, "planted: a $kind in $table is found");
        $row = $now if $key eq $column;
        $server->sql("UPDATE $table SET $column = '$before' WHERE $key = '$row'");
    }
    if ($planted =~ /[a-z]/) {
        is_deeply(found_in($_, $planted), { planted => [$planted] }, "planted: a $kind, encoded")
            for encode_base64("x=$planted;", ''), unpack 'H*', $planted;
    }
    my @found;    # on the status page only until its place is taken by another request
    wait_until(10, sub {
        $server->get('/static.txt', query => { shown => $planted });
        $server->get('/server-status');
        my $seen = $server->logs;
        @found = grep { %{ found_in([ Account::Test::readings_of($seen->{$_}) ], $planted) } } sort keys %$seen;
        @found > 2;
    });
    is("@found", 'access_log forensic_log server-status', "planted: a $kind in logs is found");
}
done();
