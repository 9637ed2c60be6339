# One line of JSON for each security event, where AccountAuditLog says, whatever a client sends, and never a secret.
# matrix: db
use lib 't/lib';
use Account::Race 'race';
use Account::Test;
use JSON::PP ();
use POSIX ();
use Time::HiRes 'time';

my $json = JSON::PP->new->utf8;
my $password = canary('Sesame-audit-1');
my $other = canary('Sesame-audit-2');
my $answer = canary('Answer-audit-1');
my $in_the_wrong_field = canary('sesameaudit3');

my @mounts = ('AccountMount /user mmall', 'AccountMount /user guochuang', 'AccountMount /management management',
    'AccountMount /mobileapi/customer kalengo', 'AccountMount /account links');
sub vhost { my ($name, @more) = @_; return join "\n", "ServerName $name.test", "AccountPublicURL http://$name.test", "AccountRealm $name", @mounts, @more }
my $server = Account::Server->new(limits => 1, mounts => '', loglevel => 'info',
    conf  => "AccountSms file:\@DIR\@/messages.jsonl\nAccountMail file:\@DIR\@/mail.jsonl\nAccountAuditLog logs/audit.log\n",
    vhost => [ vhost('shop', 'AccountLimit password-address off'), vhost('mall', 'AccountAuditLog @DIR@/logs/audit.log'), vhost('piped', 'AccountAuditLog "|/usr/bin/tee -a @DIR@/logs/piped.log"'),
        vhost('shell', 'AccountAuditLog "|$exec cat >>@DIR@/logs/shell.log"'), vhost('quiet', 'AccountAuditLog OFF'),
        vhost('strict', 'AccountEnumeration strict'), vhost('plain', 'AccountAuditLog error-log'), vhost('full', 'AccountAuditLog /dev/full'),
        vhost('stuck', 'AccountAuditLog "|/usr/bin/sleep 600"'),
        vhost('many', 'AccountLimit password-account off', 'AccountLimit password-address off') ],
)->start;
my $log = "$server->{dir}/logs/audit.log";

sub ask {
    my ($realm, $method, $path, %opt) = @_;
    $opt{headers} = { Host => "$realm.test", %{ $opt{headers} || {} } };
    return $server->request($method, $path, %opt);
}

sub sql { my ($query) = @_; return scalar $server->sql($query) }
sub id_of { my ($name, $realm) = @_; return sql("SELECT id FROM account WHERE realm = '" . ($realm // 'shop') . "' AND user_name = '$name'") }

# The new lines of a log, each parsed.
my %read;
sub lines {
    my ($file) = @_;
    my $text = slurp($file // $log);
    my $new = substr $text, $read{ $file // $log } // 0;
    $read{ $file // $log } = length $text;
    return map { eval { $json->decode($_) } || { event => "no JSON: $_" } } split /\n/, $new;
}
sub errors { return map { /AC00230: (.*)/ ? (eval { $json->decode($1) } || { event => "no JSON: $1" }) : () } split /\n/, $server->error_log }

# --- every kind of event, through the contracts that ship ---

sub login { my ($name, $secret, %opt) = @_; return [ POST => '/user/login.do', form => { username => $name, password => $secret }, %opt ] }
sub register { my ($name) = @_; return [ POST => '/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com", question => 'city', answer => $answer } ] }

ask(shop => @{ register($_) }) for qw(boss anna bert carl);
is(join(' ', map { $_->{event} } lines()), join(' ', map { 'user_created:' . id_of($_) } qw(boss anna bert carl)), 'four registrations');
sql("UPDATE account SET role = 'admin' WHERE realm = 'shop' AND user_name = 'boss'");
my ($boss, $anna, $bert, $carl) = map { id_of($_) } qw(boss anna bert carl);
my ($a, $b, $c) = map { Account::Jar->new } 1 .. 3;
my $token;

# [what, request or sub, events with those in another session after them, more fields of the first line]
my @table = (
    [ 'a login', login(anna => $password, cookie => $a), "authn_login_success:$anna session_created:$anna",
        { outcome => 'ok', account => $anna, level => 'INFO', contract => 'mmall', route => 'login', request_uri => '/user/login.do', request_method => 'POST' } ],
    [ 'a login in a session', login(anna => $password, cookie => $a), "authn_login_success:$anna session_created:$anna session_expired:$anna" ],
    [ 'an administrator', login(boss => $password, cookie => $b), "authn_login_success:$boss session_created:$boss" ],
    [ 'a wrong password', login(anna => $other), "authn_login_fail:$anna", { outcome => 'wrong-password', level => 'WARN', account => $anna, subject => undef } ],
    [ 'a password as a name', login($in_the_wrong_field, 'x'), 'authn_login_fail', { outcome => 'unknown-account', account => undef } ],
    [ 'a wrong old password', [ POST => '/user/reset_password.do', form => { passwordOld => $other, passwordNew => $password }, cookie => $a ],
        "authn_password_change_fail:$anna", { outcome => 'wrong-password', account => $anna } ],
    [ 'another password', [ POST => '/user/reset_password.do', form => { passwordOld => $password, passwordNew => $other }, cookie => $a ],
        "authn_password_change:$anna session_created:$anna session_expired:$anna", { level => 'INFO' } ],
    [ 'a change without a session', [ POST => '/user/reset_password.do', form => { passwordOld => 'x', passwordNew => $password } ], 'authz_fail', { outcome => 'not-logged-in' } ],
    [ 'who am I', [ GET => '/user/get_user_info.do' ], '' ],
    [ 'who am I, in a session', [ GET => '/user/get_user_info.do', cookie => $a ], '' ],
    [ 'a wrong answer', [ POST => '/user/forget_check_answer.do', form => { username => 'anna', question => 'city', answer => 'no' } ],
        "authn_password_change_fail:$anna", { outcome => 'wrong-answer' } ],
    [ 'a right answer', sub { $token = canary(ask(shop => POST => '/user/forget_check_answer.do', form => { username => 'anna', question => 'city', answer => $answer })->{json}{data}) },
        "authn_token_created:$anna" ],
    [ 'a wrong token', [ POST => '/user/forget_reset_password.do', form => { username => 'anna', forgetToken => 'x', passwordNew => $password } ], "authn_password_change_fail:$anna" ],
    [ 'a reset', sub { ask(shop => POST => '/user/forget_reset_password.do', form => { username => 'anna', forgetToken => $token, passwordNew => $password }) },
        "authn_password_change:$anna" ],
    [ 'a profile', [ POST => '/user/update_information.do', form => { phone => '123' }, cookie => $b ], "user_updated:$boss", { account => $boss, by => undef } ],
    [ 'a role', [ POST => '/management/role', json => { account => 'bert', role => 'vip_user' }, cookie => $b ], "authz_change:$bert,normal_user,vip_user",
        { account => $bert, by => $boss } ],
    [ 'no such role', [ POST => '/management/role', json => { account => 'bert', role => 'king' }, cookie => $b ], "input_validation_fail:$bert" ],
    [ 'disabled', [ POST => '/management/disable', json => { account => 'bert' }, cookie => $b ], "user_archived:$boss,$bert", { account => $bert, by => $boss } ],
    [ 'a login of who is disabled', login(bert => $password), "authn_login_fail:$bert", { outcome => 'disabled' } ],
    [ 'enabled', [ POST => '/management/enable', json => { account => 'bert' }, cookie => $b ], "user_updated:$boss,$bert" ],
    [ 'oneself', [ POST => '/management/disable', json => { account => 'boss' }, cookie => $b ], "authz_fail:$boss" ],
    [ 'who may log in again', login(bert => $password, cookie => $c), "authn_login_success:$bert session_created:$bert" ],
    [ 'no administrator', [ POST => '/management/disable', json => { account => 'boss' }, cookie => $c ], "authz_fail:$bert", { outcome => 'forbidden', account => $bert } ],
    [ 'a role of one\'s own choice', [ POST => '/user/register', form => { account => 'dora', password => $password, name => 'Dora', role => 'admin' } ],
        'authz_fail', { contract => 'guochuang', outcome => 'role-refused' } ],
    [ 'another site', login(anna => $password, headers => { 'Sec-Fetch-Site' => 'cross-site' }), 'malicious_cors', { outcome => 'cross-site' } ],
    [ 'a code', [ GET => '/user/registerPhone/13800138000' ], 'authn_token_created', { request_uri => '/user/registerPhone/{phone_number}', account => undef } ],
    [ 'a code too soon', [ GET => '/user/registerPhone/13800138000' ], 'excess_rate_limit_exceeded' ],
    [ 'a number that is none', [ GET => '/user/registerPhone/12' ], 'input_validation_fail', { outcome => qr/\Ainvalid\.target\.(?:mobile|is|address)\z/ } ],
    [ 'a body that is none', [ POST => '/user/login.do', body => '{', headers => { 'Content-Type' => 'application/json' } ], 'input_validation_fail', { outcome => 'bad-request' } ],
    [ 'a body that is too large', [ POST => '/user/login.do', body => 'x' x 70000, headers => { 'Content-Type' => 'application/json' } ], 'input_validation_fail', { outcome => 'too-large' } ],
    [ 'another method', [ PUT => '/user/login.do', body => '{}', headers => { 'Content-Type' => 'application/json' } ], '' ],
    [ 'a free name', [ POST => '/user/check_valid.do', form => { type => 'username', str => 'free' } ], '' ],
    [ 'a logout', [ POST => '/user/logout.do', cookie => $c ], "session_expired:$bert", { outcome => 'ok', account => $bert } ],
    [ 'a logout of nobody', [ POST => '/user/logout.do' ], '' ],
);
my %seen;
for (@table) {
    my ($what, $request, $events, $fields) = @$_;
    ref $request eq 'CODE' ? $request->() : ask(shop => @$request);
    my @lines = lines();
    is(join(' ', map { $_->{event} } @lines), $events, $what);
    $seen{ $_->{event} =~ s/:.*//r } = 1 for @lines;
    for my $field (sort keys %{ $fields || {} }) {
        my $expected = $fields->{$field};
        if (ref $expected) { like($lines[0]{$field} // '', $expected, "$what: $field") }
        else               { is($lines[0]{$field}, $expected, "$what: $field") }
    }
    canary($_->get('mmall_login_token')) for grep { $_->get('mmall_login_token') } $a, $b, $c;
}
my @replies = map { ask(shop => @{ login(carl => $other) }) } 1 .. 12;
is(join(' ', map { $_->{event} } lines()), join(' ', ("authn_login_fail:$carl") x 10, ("authn_login_fail_max:$carl") x 2), 'guesses, and when they are too many');
$seen{$_} = 1 for qw(authn_login_fail_max user_created);

# --- by codes, and where it is not told who exists ---

my $number = '13900139000';
my $code = sub {
    my ($count) = @_;
    my @sent;
    wait_until(15, sub { @sent = grep { $_->{to} =~ /$number/ } map { $json->decode($_) } split /\n/, slurp("$server->{dir}/messages.jsonl"); @sent >= $count });
    return canary($sent[-1]{code});
};
sub expect { my ($what, $events) = @_; is(join(' ', map { $_->{event} } lines()), $events, $what) }
ask(shop => GET => "/user/registerPhone/$number");
my $right = $code->(1);
ask(shop => POST => "/user/registerPhone/$number", form => { identifying_code => $right });
my $phone = sql("SELECT id FROM account WHERE realm = 'shop' AND mobile LIKE '%$number'");
expect('an account by a code', "authn_token_created user_created:$phone");
ask(shop => GET => "/user/loginPhone/$number");
my $wrong = ($right = $code->(2)) eq '000000' ? '000001' : '000000';
ask(shop => POST => "/user/loginPhone/$number", form => { identifying_code => $wrong });
ask(shop => POST => "/user/loginPhone/$number", form => { identifying_code => $right });
expect('a login by a code', "authn_token_created:$phone authn_login_fail:$phone authn_login_success:$phone session_created:$phone");
ask(shop => GET => "/user/forgetPassword/$number");
$right = $code->(3);
ask(shop => POST => "/user/forgetPassword/$number", form => { account => $number, identifying_code => $right, new_password => $other });
expect('a reset by a code, which logs in', "authn_token_created:$phone authn_password_change:$phone session_created:$phone");

ask(shop => POST => '/mobileapi/customer/forgotpwd', form => { email => 'carl@example.com' });
my $mail = sub { return slurp("$server->{dir}/mail.jsonl") =~ /"to":"carl\@example\.com".*?[?&]token=([^"&]+)/ ? $1 : '' };
ok(wait_until(15, $mail), 'a mail');
$token = canary($mail->());
my %again = (password => $other, password_again => $other);
ask(shop => POST => '/account/reset', form => { token => "x$token", %again });
ask(shop => GET => '/account/reset', query => { token => $token });
ask(shop => POST => '/account/reset', form => { token => $token, %again });
ask(shop => POST => '/account/activate', form => { token => 'x' });
expect('a reset by a mail', "authn_token_created:$carl authn_password_change_fail authn_password_change:$carl input_validation_fail");

ask(strict => @{ login('nobody', 'x') });
my ($hidden) = lines();
is($hidden->{event}, 'authn_login_fail', 'strict: nobody');
is($hidden->{outcome}, 'wrong-password', 'strict: as it was answered');
is($hidden->{account}, undef, 'strict: of no account');
like($hidden->{subject}, qr/\A[0-9a-f]{16}\z/, 'strict: by its digest');

# All that the module knows of the vocabulary but what is the work of others.
my %known = map { $_ => 1 } slurp("$ROOT/mod_account/action/audit.c") =~ /^#define [A-Z_]+ "([a-z]+_[a-z_]+)"$/mg;
$known{$_} = 1 for qw(session_created session_expired);
cmp_ok(scalar(keys %known), '>=', 16, 'the vocabulary');
is(join(' ', sort keys %seen), join(' ', sort keys %known), 'each of its events has happened');

# --- the form of a line ---

ask(shop => @{ login(anna => $password, cookie => $a->clear) });
my ($first, $begun) = lines();
is_deeply([ sort keys %$first ], [ sort qw(datetime appid event level description contract route outcome account session useragent source_ip host request_method request_uri) ],
    'the fields of a login');
like($first->{datetime}, qr/\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'a time in UTC');
is($first->{appid}, 'shop', 'the realm');
is($first->{host}, 'shop.test', "the server's name");
is($first->{source_ip}, '127.0.0.1', 'the address');
like($first->{session}, qr/\A[0-9a-f]{16}\z/, 'the session by its id');
is(sql("SELECT COUNT(*) FROM account_session WHERE account = $anna AND digest LIKE '$first->{session}%'"), 1, 'it is that session');
is($begun->{session}, $first->{session}, 'and the one that began');
canary($a->get('mmall_login_token'));

ask(shop => @{ login('nobody-here', 'x') });
ask(shop => @{ login('NOBODY-here', 'x') });
ask(shop => @{ login('nobody-there', 'x') });
my @strangers = map { $_->{subject} } lines();
like($strangers[0], qr/\A[0-9a-f]{16}\z/, 'a name that nobody has is a digest');
is($strangers[1], $strangers[0], 'the same name the same');
isnt($strangers[2], $strangers[0], 'another name another');

ask(shop => @{ login(anna => 'x') });
my ($failed) = lines();
my ($shown) = map { $json->decode($_) } slurp("$ROOT/README.md") =~ /^    (\{"datetime":.*)$/m;
is(join(' ', sort keys %$shown), join(' ', sort keys %$failed), 'README shows such a line');
is($shown->{$_}, $failed->{$_}, "and its $_") for qw(level description contract route outcome request_method request_uri);

# --- what a client can write ---

my $evil = qq("}\r\n{"event":"authn_login_success:1"}\x1b[31m\\);
for ([ 'a user name', login($evil, 'x'), undef ],
    [ 'a user agent', login(anna => 'x', headers => { 'User-Agent' => qq(evil" \\ ,{}\t%41 h\xc3\xa9) }), 'evil%22 %5C ,{}%09%2541 h%C3%A9' ],
    [ 'a user agent that is long', login(anna => 'x', headers => { 'User-Agent' => '"' x 8000 }), '%22' x 170 . '+' ],
    [ 'no user agent', login(anna => 'x', headers => { 'User-Agent' => undef }), undef ],
    [ 'a host', login(anna => 'x', headers => { 'X-Forwarded-For' => $evil =~ s/[\r\n\x1b]//gr }), 'account-test' ],
    [ 'a path', [ GET => '/user/registerPhone/%22%7d%0a%1b%5c' ], 'account-test' ]) {
    my ($what, $request, $agent) = @$_;
    my $before = slurp($log);
    ask(shop => @$request);
    my $text = substr slurp($log), length $before;
    is($text =~ tr/\n//, 1, "$what: one line");
    like($text, qr/\A[\x20-\x7e]{40,4095}\n\z/, "$what: printable, not too long");
    unlike($text, qr/\\/, "$what: without a backslash");
    my ($line) = lines();
    like($line->{event}, qr/_fail(?:_max)?(?::\d+)?\z/, "$what: JSON");
    is($line->{useragent}, $agent, "$what: the agent") if defined $agent;
}

# --- many at once, of two virtual hosts: no line within another ---

ask(many => @{ register('anna') });
lines();
my $many = id_of('anna', 'many');
@replies = race($server->port, [ map { [ POST => '/user/login.do', headers => { Host => 'many.test', 'User-Agent' => 'x' x 400 },
    form => { username => $_ % 2 ? 'anna' : 'nobody', password => 'wrong' } ] } 1 .. 40 ], timeout => 30);
my @lines = lines();
my $answered = grep { $_->{status} == 200 } @replies;
cmp_ok($answered, '>', 10, "$answered of 40 at once are answered");
is(scalar(@lines), $answered, 'a line of each');
is(scalar(grep { $_->{event} !~ /\Aauthn_login_fail(?::$many)?\z/ } @lines), 0, 'none is broken');
is(scalar(grep { readlink($_) && readlink($_) eq $log } glob "/proc/@{[ $server->pid ]}/fd/*"), 1, 'servers that name one file have opened it once');
is((stat $log)[2] & 07777, 0640, 'it is not for everybody');

# --- elsewhere ---

sub tried { my ($realm) = @_; ask($realm => @{ login('nobody', 'x') }) }
tried('mall');
is(join(' ', map { "$_->{appid} $_->{event}" } lines()), 'mall authn_login_fail', 'a file that two servers name');
for my $realm (qw(piped shell)) {
    my $file = "$server->{dir}/logs/$realm.log";
    tried($realm);
    ok(wait_until(10, sub { -s $file }), "$realm: a program gets its line");
    is(join(' ', map { "$_->{appid} $_->{event}" } lines($file)), "$realm authn_login_fail", "$realm: and it is whole");
}
tried('quiet');
is(scalar(lines()), 0, 'off: not in the file');
ok(!(grep { ($_->{appid} // '') eq 'quiet' } errors()), 'off: not in the error log');
tried('plain');
ask(plain => @{ register('anna') });
ask(plain => @{ login(anna => $password) });
ask(plain => @{ login(anna => 'x', headers => { 'User-Agent' => 'a"b\\c', Referer => 'http://plain.test/x' }) });
my $plain = id_of('anna', 'plain');
is(join(' ', map { $_->{event} } errors()), "authn_login_fail user_created:$plain authn_login_success:$plain session_created:$plain authn_login_fail:$plain",
    'error-log: the same lines in the error log');
is((errors())[-1]{useragent}, 'a%22b%5Cc', 'error-log: nothing escaped twice');
like($server->error_log, qr/\[account:notice\] .*AC00230: .*authn_login_success/, 'error-log: INFO is a notice');
like($server->error_log, qr/\[account:warn\] .*AC00230: .*authn_login_fail/, 'error-log: WARN is a warning');
tried('full');
like($server->error_log, qr/\[account:error\] .*No space left.*AC00233: .*\/dev\/full: \{"datetime".*"appid":"full","event":"authn_login_fail"/,
    'what can not be written is in the error log, with a reason');

# --- a program that does not read ---

my $slowest = 0;
for (1 .. 120) {
    my $before = time;
    my $r = ask(stuck => @{ login('nobody', 'x', headers => { 'User-Agent' => 'x' x 500 }) }, timeout => 5);
    my $took = time - $before;
    $slowest = $took if $took > $slowest;
    last if !$r->{status};
}
cmp_ok($slowest, '<', 2, "a program that does not read its lines holds nobody up ($slowest s)");
like($server->error_log, qr/AC00233: .*sleep 600: \{"datetime".*"appid":"stuck","event":"/, 'what it does not take is in the error log');

# --- a graceful restart, as logrotate does ---

rename $log, "$log.1" or die "rename: $!";
ask(shop => @{ login(anna => 'x') });
is((lines("$log.1"))[-1]{event}, "authn_login_fail:$anna", 'until the restart the old file goes on');
$read{$log} = 0;
$server->restart('graceful');
tried('shop');
tried('mall');
is(join(' ', map { "$_->{appid} $_->{event}" } lines()), 'shop authn_login_fail mall authn_login_fail', 'after it there is a new one');
my $piped = "$server->{dir}/logs/piped.log";
tried('piped');
my @piped;
ok(wait_until(10, sub { push @piped, lines($piped); @piped }), 'and the program has been started again');
$server->stop;

# --- without a word; and what is wrong ---

my $standard = Account::Server->new(mounts => "AccountMount /user mmall\n", loglevel => 'notice')->start;
$standard->post('/user/login.do', form => { username => 'nobody', password => 'x' });
like($standard->error_log, qr/AC00230: \{"datetime":.*"appid":"default","event":"authn_login_fail"/, 'without the directive: the error log');
$standard->stop;
for ([ 'AccountAuditLog nothing/audit.log', qr/AccountAuditLog: there is no folder \S+\/nothing\/: make it first/ ],
    [ 'AccountAuditLog "|"', qr/AccountAuditLog: after \| the program is missing/ ], [ 'AccountAuditLog ""', qr/AccountAuditLog takes one argument/ ],
    [ "<Location /x>\nAccountAuditLog off\n</Location>", qr/AccountAuditLog belongs into the server's configuration/ ]) {
    my ($conf, $text) = @$_;
    my ($status, $said) = configtest($conf);
    isnt($status, 0, "wrong: $conf");
    like($said, $text, 'and it says why');
}
my $pipe = temp_dir('pipe') . '/pipe';
POSIX::mkfifo($pipe, 0600) or die "mkfifo: $!";
my $unread = Account::Server->new(conf => "AccountAuditLog $pipe\n");
my $before = time;
ok(!eval { $unread->start; 1 }, 'a named pipe that nobody reads');
like($@, qr/AC00231: AccountAuditLog \S+pipe can't be opened: nobody reads this named pipe/, 'is no log');
cmp_ok(time - $before, '<', 10, 'and no start waits for its reader');
my $folder = Account::Server->new(conf => "AccountAuditLog \@DIR\@/htdocs\n");
ok(!eval { $folder->start; 1 }, 'a file that can not be opened');
like($@, qr/AC00231: AccountAuditLog \S+htdocs can't be opened/, 'and it says why');
done();
