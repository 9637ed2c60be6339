# Guessing, asking who exists and having messages sent come to an end, for one client and for many at once, across
# restarts, and while the database is out of reach; the owner of an account gets in nevertheless.
# matrix: db
use lib 't/lib';
use Account::Race qw(race background);
use Account::Test;
use IPC::Open2 'open2';
use Time::HiRes qw(sleep time);

my $MANY = '操作过于频繁，请稍后再试';
my $password = canary('Sesame-limits-1');
my $wrong = canary('Sesame-limits-2');
my $answer = canary('Answer-limits-1');

# One realm and virtual host for each test: its name, and its directives.
my @SENDS = qw(send-interval send-target send-address send-network send-total);
sub only { my ($name, $limit) = @_; return map { "AccountLimit $_ " . ($_ eq $name ? $limit : 'off') } @SENDS }
my %realm = (
    one => [], many => [], parallel => [ 'AccountLimit password-address off' ], spray => [], restarts => [], owner => [],
    answers => [], reveal => [], strict => [ 'AccountEnumeration strict', 'AccountLimit send-address off' ], down => [],
    interval => [ only('send-interval', '1/60s') ], target => [ only('send-target', '2/1h 3/1d') ],
    address => [ only('send-address', '3/1h') ], network => [ only('send-network', '4/1h') ],
    total => [ only('send-total', '3/1h') ], defaults => [ 'AccountLimit send-interval off' ],
    nothing => [ (map { "AccountLimit $_ off" } qw(send-interval send-address send-network)),
        'AccountLimit send-target 1/1h', 'AccountLimit send-total 2/1h' ],
);

my $mariadb = ($ENV{ACCOUNT_DB} || '') eq 'mysql' ? Account::MariaDB->new->start : undef;
my $server = Account::Server->new(
    limits => 1,
    mariadb => $mariadb, loglevel => 'info', mounts => '',
    conf    => "AccountSms file:\@DIR\@/messages.jsonl\n",
    vhost   => [ map { join "\n", "ServerName $_.test", "AccountPublicURL http://$_.test", "AccountRealm $_",
        'AccountMount /user mmall', 'AccountMount /user guochuang', @{ $realm{$_} } } sort keys %realm ],
)->start;

sub ask {
    my ($realm, $method, $path, %opt) = @_;
    $opt{headers} = { %{ $opt{headers} || {} }, Host => "$realm.test" };
    return $server->request($method, $path, %opt);
}

# As one line: what the reply says.
sub said { my ($r) = @_; return $r->{error} // "$r->{status} " . ($r->{json}{msg} // ref($r->{json}) || $r->{body}) }
sub is_refused { my ($r) = @_; return ($r->{json}{msg} // '') eq $MANY }
sub tally { my %seen; $seen{ said($_) }++ for @_; return join ', ', map { "$seen{$_} x $_" } sort keys %seen }

# How many were looked at, each answered as expected; what else came is a failure of its own.
sub evaluated {
    my ($name, $expected, @replies) = @_;
    my @odd = grep { !is_refused($_) && said($_) ne $expected } @replies;
    ok(!@odd, "$name: every reply is '$expected' or a refusal") or diag(tally(@replies));
    ok(!(grep { is_refused($_) && !$_->{headers}{'retry-after'} } @replies), "$name: every refusal has Retry-After");
    return scalar grep { !is_refused($_) } @replies;
}

sub register {
    my ($realm, $name, %more) = @_;
    my $r = ask($realm, POST => '/user/register.do', form => { username => $name, password => $password,
        email => "$name\@example.com", %more });
    ($r->{json}{status} // -1) == 0 or die "$realm: $name was not registered: " . said($r) . "\n";
}

sub login {
    my ($realm, $name, $secret, %opt) = @_;
    return ask($realm, POST => '/user/login.do', form => { username => $name, password => $secret }, %opt);
}
sub is_in { my ($r) = @_; return ($r->{json}{msg} // '') eq '登录成功' }

sub sql { my ($query) = @_; return scalar $server->sql($query) }
# Windows that are this long ago or shorter are over.
sub later { my ($realm, $seconds) = @_; sql("UPDATE account_limit SET until = until - ${seconds}000 WHERE realm = '$realm'") }

# 127.16.0.1, 127.16.0.2, ... all in networks of their own; or within one.
sub elsewhere { my ($n) = @_; return sprintf '127.16.%d.%d', $n % 250 + 1, int($n / 250) + 1 }

# --- one account, guessed at from one address, and from many ---

register($_, 'anna') for qw(one many parallel restarts owner down);
my $start = time;
my @replies = map { login(one => 'anna', $wrong) } 1 .. 300;
my $count = evaluated('one address', '200 密码错误', @replies);
cmp_ok(time - $start, '<', 50, 'one address: within the first minute');
is($count, 10, 'one address: 10 of 300 guesses are looked at');
ok(is_refused(login(one => 'anna', $password)), 'one address: the right one is not');
ok(is_refused(login(one => 'ANNA@Example.com', $password)), 'one address: nor by another name of the account');
ok(is_refused(login(one => 'anna', $password, from => elsewhere(0))), 'one address: nor from another address');

@replies = map { login(many => 'anna', $wrong, from => elsewhere($_)) } 1 .. 300;
is(evaluated('300 addresses', '200 密码错误', @replies), 10, '300 addresses: 10 of 300 guesses are looked at');
ok(is_refused(login(many => 'anna', $password, from => elsewhere(301))), '300 addresses: the right one from yet another is not');
@replies = map { login(many => 'nobody', $wrong, from => elsewhere(400 + $_)) } 1 .. 20;
is(evaluated('nobody', '200 密码错误', @replies), 10, 'who does not exist is counted in the same way');
later(many => 61);
@replies = map { login(many => 'anna', $wrong, from => elsewhere(500 + $_)) } 1 .. 15;
is(evaluated('a minute later', '200 密码错误', @replies), 10, 'a minute later it is 10 more');
for my $minute (3 .. 10) {
    later(many => 61);
    login(many => 'anna', $wrong, from => elsewhere(500 + 20 * $minute + $_)) for 1 .. 10;
}
later(many => 61);
@replies = map { login(many => 'anna', $wrong, from => elsewhere(900 + $_)) } 1 .. 15;
is(evaluated('100 in an hour', '200 密码错误', @replies), 0, 'after 100 in an hour none');

@replies = race($server->port, [ map { [ POST => '/user/login.do', headers => { Host => 'parallel.test' },
    form => { username => 'anna', password => $wrong } ] } 1 .. 60 ], timeout => 20);
is(evaluated('60 at once', '200 密码错误', @replies), 10, '60 at once: 10 are looked at');

# --- one password, tried at many accounts ---

register('spray', "user$_") for 1 .. 60;
@replies = map { login(spray => "user$_", $wrong) } 1 .. 60;
is(evaluated('60 accounts', '200 密码错误', @replies), 20, '60 accounts from one address: 20 guesses are looked at');
ok(is_refused(login(spray => 'user60', $password)), '60 accounts: no more from there');
ok(is_in(login(spray => 'user60', $password, from => '127.0.0.2')), '60 accounts: from elsewhere');
# X-Forwarded-For is never read
ok(is_refused(login(spray => 'user60', $password, headers => { 'X-Forwarded-For' => '192.0.2.1' })), '60 accounts: nor by X-Forwarded-For');
later(spray => 601);
@replies = map { login(spray => "user$_", $wrong) } 31 .. 60;
is(evaluated('60 accounts, later', '200 密码错误', @replies), 20, '60 accounts: 20 more after 10 minutes');

# who logs in is not counted
later(spray => 601);
is(scalar(grep { is_in(login(spray => "user$_", $password)) } 1 .. 40), 40, '40 right passwords from one address: all are in');

# --- restarts do not fill it up again ---

@replies = map { login(restarts => 'anna', $wrong, from => '127.0.3.1') } 1 .. 4;
$server->restart('graceful');
push @replies, map { login(restarts => 'anna', $wrong, from => '127.0.3.1') } 1 .. 4;
$server->restart('hard');
push @replies, map { login(restarts => 'anna', $wrong, from => '127.0.3.1') } 1 .. 4;
$server->stop->start;
push @replies, map { login(restarts => 'anna', $wrong, from => elsewhere($_)) } 1 .. 10;
is(evaluated('restarts', '200 密码错误', @replies), 10, 'graceful, hard and full restarts: 10 in all');
@replies = map { login(restarts => "nobody$_", $wrong, from => '127.0.3.1') } 1 .. 5;
$server->stop->start;
push @replies, map { login(restarts => "nobody$_", $wrong, from => '127.0.3.1') } 6 .. 30;
is(evaluated('restarts, by address', '200 密码错误', @replies), 10, 'and 20 in all for the address');

# --- the owner gets in while the attack runs ---

register(owner => 'other');
my $owner = Account::Jar->new;
ok(is_in(login(owner => 'anna', $password, cookie => $owner)), 'the owner has logged in before');
my $known = Account::Jar->new(account_device => $owner->get('account_device') // '');
canary($known->get('account_device')) if length $known->get('account_device');
my $stranger = Account::Jar->new;
ok(is_in(login(owner => 'other', $password, cookie => $stranger)), 'and somebody else to another account');
my $foreign = 'account_device=' . ($stranger->get('account_device') // '');

my $until = time + 8;
my $attack = background(3, sub {
    my ($i) = @_;
    my ($evaluated, $sent) = (0, 0);
    while (time < $until) {
        my $r = login(owner => 'anna', $wrong, from => elsewhere(1000 + 300 * $i + $sent % 300));
        $sent++;
        $evaluated++ if !is_refused($r) && !$r->{error};
        sleep 0.01;
    }
    return [ $evaluated, $sent ];
}, 40);
sleep 1;
my @owned;
for (1 .. 40) {
    my $jar = Account::Jar->new(%$known);
    push @owned, login(owner => 'anna', $password, cookie => $jar);
    sleep 0.12;
}
my $in = grep { is_in($_) } @owned;
my ($evaluated, $sent) = (0, 0);
for ($attack->()) { $evaluated += $_->[0]; $sent += $_->[1] }
cmp_ok($in, '>=', 38, 'the owner logs in, 38 times of 40 at least') or diag(tally(@owned));
cmp_ok($sent, '>', 100, 'while many guess');
cmp_ok($evaluated, '<=', 10, 'and are not listened to');
diag("the owner: $in of 40 logins; the attack: $evaluated of $sent guesses looked at");
ok(is_refused(login(owner => 'anna', $password)), 'without the cookie he has to wait');
ok(is_refused(login(owner => 'anna', $password, cookie => $foreign)), "with another account's too");
ok(is_refused(login(owner => 'anna', $password, cookie => 'account_device=' . 'a' x 26 . '.' . '0' x 64)), 'with an invented one too');
@replies = map { login(owner => 'anna', $wrong, cookie => 'account_device=' . $known->get('account_device'), from => elsewhere($_)) } 1 .. 30;
is(evaluated('a stolen cookie', '200 密码错误', @replies), 10, 'a stolen cookie is good for 10 guesses too');

# --- security answers ---

register(answers => 'anna', question => 'city', answer => $answer);
sub guess {
    my ($name, $guess, %opt) = @_;
    return ask('answers', POST => '/user/forget_check_answer.do', form => { username => $name, question => 'city', answer => $guess }, %opt);
}
@replies = map { guess('anna', "wrong-answer-$_", from => elsewhere($_)) } 1 .. 20;
is(evaluated('answers', '200 问题答案错误', @replies), 3, 'answers: 3 of 20 are looked at');
ok(is_refused(guess('anna', $answer)), 'answers: the right one is not');
ok(is_refused(guess('Anna@example.com', $answer)), 'answers: nor by another name');
@replies = map { guess('nobody', "wrong-answer-$_") } 1 .. 10;
is(evaluated('answers of nobody', '200 问题答案错误', @replies), 3, 'answers: of nobody as many');
my @hours;
for (1 .. 4) {
    later(answers => 3601);
    push @hours, evaluated('answers, an hour later', '200 问题答案错误', map { guess('anna', "wrong-$_") } 1 .. 6);
}
is("@hours", '3 3 1 0', 'answers: 3 an hour, 10 a day');
later(answers => 24 * 3600);
my $token = guess('anna', $answer)->{json}{data} // '';
canary($token) if length $token;
like($token, qr/\A[0-9a-f-]{36}\z/, 'answers: and then the right one');

# --- who exists ---

register('reveal', "user$_") for 1 .. 60;
sub check { my ($realm, $name, %opt) = @_; return ask($realm, GET => '/user/check_valid.do', query => { type => 'username', str => $name }, %opt) }
@replies = map { check(reveal => "free$_") } 1 .. 30;
is(evaluated('free names', '200 校验成功', @replies), 30, 'reveal: free names are told as often as asked');
@replies = map { check(reveal => "user$_") } 1 .. 30;
is(evaluated('taken names', '200 用户已存在', @replies), 10, 'reveal: 10 of 30 taken ones are told');
is(tally(map { check(reveal => $_) } qw(free1 user1 user40)), "3 x 200 $MANY", 'reveal: then neither free nor taken ones');
is(said(check(reveal => 'user1', from => '127.0.0.2')), '200 用户已存在', 'reveal: another address asks for itself');
is(said(ask('reveal', POST => '/user/register', json => { account => 'user1', password => $password })), "429 $MANY", 'reveal: registering tells no more either');
my @told;
for (1 .. 6) {
    later(reveal => 601);
    push @told, evaluated('taken names, later', '200 用户已存在', map { check(reveal => "user$_") } 1 .. 15);
}
is("@told", '10 10 10 10 0 0', 'reveal: 50 a day');

# strict: what need not be told is not
register(strict => 'anna', question => 'city', answer => $answer);
sub same {
    my ($name, $one, $two) = @_;
    my @shown = map { my $r = $_; my %h = map { $_ => $r->{headers}{$_} } grep { $_ ne 'date' } keys %{ $r->{headers} };
        JSON::PP->new->canonical->encode([ $r->{status}, $r->{body}, \%h ]) } $one, $two;
    is($shown[0], $shown[1], "strict: $name, the same to the byte");
}
same('login.do', login(strict => 'anna', $wrong), login(strict => 'nobody', $wrong));
my ($has, $hasnt) = map { ask('strict', POST => '/user/login', json => { account => $_, password => $wrong }) } qw(anna nobody);
same('login', $has, $hasnt);
is(said($hasnt), '400 password error', 'strict: nobody has a wrong password');
same('forget_check_answer', map { ask('strict', POST => '/user/forget_check_answer.do',
    form => { username => $_, question => 'city', answer => 'wrong-answer' }) } qw(anna nobody));
is(said(ask('strict', GET => '/user/registerPhone/13800000001')), '200 注意接收短信', 'strict: a code to register');
same('loginPhone of nobody', map { ask('strict', GET => "/user/loginPhone/$_") } qw(13800000002 13800000003));
is(said(ask('strict', GET => '/user/loginPhone/13800000004')), '200 注意接收短信', 'strict: nobody gets the success text');
is(said(ask('strict', POST => '/user/forgetPassword/13800000004', json => { identifying => '123456', new_password => $wrong })),
    '401 验证码错误', 'strict: and no code of his is right');
is(sql("SELECT COUNT(*) FROM account_message WHERE realm = 'strict'"), 1, 'strict: one message was sent in all');
register(strict => "user$_") for 1 .. 12;
@replies = map { check(strict => "user$_") } 1 .. 12;
is(evaluated('strict, taken names', '200 用户已存在', @replies), 10, 'strict: a check tells 10, too');

# --- sending ---

sub send_to {
    my ($realm, $number, %opt) = @_;
    my $route = delete $opt{route} // 'registerPhone';
    return ask($realm, GET => "/user/$route/$number", %opt);
}
sub stored { my ($realm) = @_; return sql("SELECT COUNT(*) FROM account_message WHERE realm = '$realm'") }
my $SENT = '200 注意接收短信';
my $OVER = "429 $MANY";
sub are { my ($name, $wanted, @replies) = @_; is(join(' ', map { said($_) eq $SENT ? '+' : said($_) eq $OVER ? '-' : said($_) } @replies), $wanted, $name) }

are('interval: the success text, each time', '+ + +', map { send_to(interval => '13800000001', from => elsewhere($_)) } 1 .. 3);
is(stored('interval'), 1, 'interval: one message');
are('interval: another number', '+', send_to(interval => '13800000002'));
later(interval => 61);
are('interval: a minute later', '+', send_to(interval => '13800000001'));
is(stored('interval'), 3, 'interval: three messages');
race($server->port, [ map { [ GET => '/user/registerPhone/13800000003', headers => { Host => 'interval.test' } ] } 1 .. 40 ], timeout => 20);
is(stored('interval'), 4, 'interval: 40 at once, one message');

are('target: two an hour, whoever asks', '+ + - -', map { send_to(target => '13800000001', from => elsewhere($_)) } 1 .. 4);
are('target: however it is written', '-', send_to(target => '+8613800000001'));
are('target: another number', '+', send_to(target => '13800000002'));
later(target => 3601);
are('target: three a day', '+ -', map { send_to(target => '13800000001') } 1 .. 2);
is(stored('target'), 4, 'target: as many messages as told');

are('address: three an hour, to whomever', '+ + + - -', map { send_to(address => "1380000001$_", from => '127.0.1.1') } 1 .. 5);
are('address: its neighbour asks for itself', '+', send_to(address => '13800000015', from => '127.0.1.2'));
are('address: not by X-Forwarded-For', '-', send_to(address => '13800000016', from => '127.0.1.1', headers => { 'X-Forwarded-For' => '192.0.2.7' }));
is(stored('address'), 4, 'address: as many messages as told');

are('network: four an hour from one /24', '+ + + + - -', map { send_to(network => "1380000002$_", from => "127.0.2.$_") } 1 .. 6);
are('network: the next one', '+', send_to(network => '13800000027', from => '127.0.3.1'));
is(stored('network'), 5, 'network: as many messages as told');

are('total: three an hour in all', '+ + + - -', map { send_to(total => "1380000003$_", from => elsewhere($_)) } 1 .. 5);
is(stored('total'), 3, 'total: as many messages as told');
later(total => 3601);
@replies = race($server->port, [ map { [ GET => sprintf('/user/registerPhone/138000004%02d', $_), headers => { Host => 'total.test' } ] } 1 .. 40 ], timeout => 20);
is(scalar(grep { said($_) eq $SENT } @replies), 3, 'total: 40 at once, three are sent') or diag(tally(@replies));
is(stored('total'), 6, 'total: three more messages');

are('a refusal takes nothing', '+ - - - -', map { send_to(nothing => '13800000001') } 1 .. 5);
are('... so one is left in all', '+ -', map { send_to(nothing => "1380000000$_") } 2, 3);

are('by default: five an hour to a number', '+ + + + + -', map { send_to(defaults => '13800000001', from => elsewhere($_)) } 1 .. 6);
are('by default: ten an hour for an address', join(' ', ('+') x 10, '-'), map { send_to(defaults => "138000001$_") } 10 .. 20);
my @refused = grep { said($_) eq $OVER } send_to(defaults => '13800000001');
like($refused[0]{headers}{'retry-after'}[0] // '', qr/\A[1-9]\d*\z/, 'and says when to come again');

# --- what cannot be counted is not let through ---

is(said(login(down => 'anna', $wrong)), '200 密码错误', 'before');
my $blocked = $mariadb
    ? do { $mariadb->stop; undef }
    : do {
        # it waits for what the server is still writing, and says when it has the file for itself
        my $pid = open2(my $says, my $lock, 'sqlite3', '-bail', '-cmd', '.timeout 10000', $server->dir . '/account.db');
        $lock->autoflush;
        print $lock "BEGIN EXCLUSIVE;\nSELECT 'locked';\n";
        (<$says> // '') eq "locked\n" or die "sqlite3 did not lock the database\n";
        [ $pid, $lock ];
    };
my @down = map { login(down => 'anna', $_) } $wrong, $password;
push @down, ask('down', GET => '/user/registerPhone/13800000001');
push @down, ask('down', POST => '/user/forget_check_answer.do', form => { username => 'anna', question => 'x', answer => 'y' });
is(join(' ', map { $_->{status} } @down), '503 503 503 503', 'without its counters nobody guesses and nothing is sent') or diag(tally(@down));
ok(!(grep { $_->{cookies} && %{ $_->{cookies} } } @down), 'and nobody is logged in');
if ($blocked) { close $blocked->[1]; waitpid $blocked->[0], 0 }
else          { $mariadb->start }
ok(wait_until(10, sub { is_in(login(down => 'anna', $password)) }), 'afterwards it goes on');
my $row = sql("SELECT COUNT(*) FROM account_limit WHERE realm = 'down'");
cmp_ok($row, '>', 0, 'and what was counted is counted');
done();
