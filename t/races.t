# What many ask for at the same moment: one gets it, and nothing is left half-made.
# matrix: all
# alone
use lib 't/lib';
use Account::Race 'race';
use Account::Test;
use List::Util 'max';
use Time::HiRes 'time';

my $CLIENTS = 200;
my $ROUNDS = 50;

my $password = canary('Sesame-race-1');
my $mpm = $ENV{ACCOUNT_MPM} || 'event';
my $mariadb = ($ENV{ACCOUNT_DB} || '') eq 'mysql' ? Account::MariaDB->new(options => ['--max-connections=400'])->start : undef;

# Room for all of them, workers and hashing alike: nobody is turned away before it comes to the database.
my $server = Account::Server->new(
    mariadb => $mariadb,
    loglevel => 'info',
    conf => ($mpm eq 'event'
        ? "ServerLimit 4\nStartServers 4\nThreadsPerChild 64\nMinSpareThreads 64\nMaxSpareThreads 256\n"
        : "ServerLimit 256\nStartServers 220\nMinSpareServers 10\nMaxSpareServers 256\n")
        . "MaxRequestWorkers 256\nAccountHashSlots 256\nAccountMount /account devices\n",
    vhost => [ '', "ServerName few.test\nAccountSessionsPerAccount 5\n" ],
)->start;
wait_until(20, sub { (() = $server->child_pids) >= ($mpm eq 'event' ? 4 : 220) }) or diag('too few children');

my $BUSY = '503 服务端异常';

# {"what a reply says" => how often}
sub tally {
    my %seen;
    $seen{ $_->{error} // ($_->{status} == 200 ? '' : "$_->{status} ") . ($_->{json}{msg} // 'no msg') }++ for @_;
    return \%seen;
}

sub text_of { my ($tally) = @_; return join ', ', map { "$tally->{$_} x $_" } sort keys %$tally }

# Exactly one of these replies is the first word, the others are among the rest.
sub one_wins {
    my ($name, $replies, $winner, @others) = @_;
    my $tally = tally(@$replies);
    my %allowed = map { $_ => 1 } $winner, $BUSY, @others;
    my @strange = grep { !$allowed{$_} } keys %$tally;
    return ok(($tally->{$winner} // 0) == 1 && !@strange, $name) || diag(text_of($tally)) && 0;
}

sub add_up { my ($sum, $tally) = @_; $sum->{$_} += $tally->{$_} for keys %$tally; return $sum }

sub register_form { return { password => $password, @_ } }
sub register { return $server->post('/user/register.do', form => register_form(@_)) }

sub login {
    my ($name, $secret) = @_;
    my $jar = Account::Jar->new;
    my $r = $server->post('/user/login.do', form => { username => $name, password => $secret }, cookie => $jar);
    return ($r->{json}{status} // -1) == 0 ? $jar : undef;
}

sub user_of {
    my ($jar) = @_;
    return $server->get('/user/get_user_info.do', cookie => $jar)->{json}{data};
}

# --- one name ---

my @forms = (
    sub { $_[0] }, sub { uc $_[0] }, sub { ucfirst $_[0] },
    sub { $_[0] =~ tr/!-~/\x{FF01}-\x{FF5E}/r },              # full width
    sub { "$_[0]  " }, sub { " $_[0]" }, sub { "$_[0]\x{3000}" },
    sub { $_[0] =~ s/c/\x{24D2}/r },                          # a circled c
    sub { $_[0] =~ s/r/r\x{200B}/r },                         # zero width
    sub { "\x{FEFF}$_[0]" }, sub { "$_[0]\x{AD}\x{2060}" },
);

my (%sum, @slowest);
my $start = time;
my $expected = 0;
for my $round (1 .. $ROUNDS) {
    my $name = sprintf 'racer%02d', $round;
    my (@requests, @others);
    if ($round % 5) {
        @requests = map { [ POST => '/user/register.do', form => register_form(
            username => $forms[ $_ % @forms ]->($name), email => "$name-$_\@example.com") ] } 1 .. $CLIENTS;
        @others = ('用户已存在');
    }
    else {    # an address that some want as their user name
        my @address = ("$name\@example.com", uc "$name\@example.com", ucfirst "$name\@Example.com");
        @requests = map { my $address = $address[ $_ % 3 ];
            [ POST => '/user/register.do', form => register_form($_ % 4
                ? (username => "$name-$_", email => $address)
                : (username => $address, email => "$name-$_\@example.com")) ] } 1 .. $CLIENTS;
        @others = ('用户已存在', '邮箱已存在');
    }
    my @replies = race($server->port, \@requests);
    my ($winner) = grep { ($replies[$_]{json}{status} // -1) == 0 } 0 .. $#replies;
    one_wins("$name: $CLIENTS register, one is the first", \@replies, '注册成功', @others);
    add_up(\%sum, tally(@replies));
    push @slowest, max(map { $_->{seconds} } @replies);
    ok(defined $winner && login($requests[$winner][3]{username}, $password), "$name: and logs in") if $round % 5 < 2;
    $expected++;
}
diag(sprintf '%s %s: %d rounds of %d registrations in %.1f s, slowest reply %.2f s; %s', $mpm, $server->{db}, $ROUNDS,
    $CLIENTS, time - $start, max(@slowest), text_of(\%sum));

# --- one token ---

register(username => 'token', email => 'token@example.com', question => 'city', answer => canary('Answer-race-1'));
$expected++;
%sum = ();
for my $round (1 .. 5) {
    my $r = $server->post('/user/forget_check_answer.do',
        form => { username => 'token', question => 'city', answer => 'Answer-race-1' });
    my $token = canary($r->{json}{data});
    my @replies = race($server->port, [ map { [ POST => '/user/forget_reset_password.do', form => {
        username => 'token', passwordNew => canary("Sesame-token-$round-$_"), forgetToken => $token } ] } 1 .. 100 ]);
    my ($winner) = grep { ($replies[$_]{json}{status} // -1) == 0 } 0 .. $#replies;
    one_wins("token $round: 100 uses, one counts", \@replies, '修改密码成功', 'token无效或过期',
        'token错误，请重新获取重置密码的token');
    add_up(\%sum, tally(@replies));
    ok(defined $winner && login('token', "Sesame-token-$round-" . ($winner + 1)), "token $round: it set the password");
}
diag("$mpm $server->{db}: one token: " . text_of(\%sum));

# --- one old password ---

register(username => 'change', email => 'change@example.com');
$expected++;
%sum = ();
my $old = $password;
for my $round (1 .. 5) {
    my @jars = map { login('change', $old) } 1 .. 4;
    my @replies = race($server->port, [ map { [ POST => '/user/reset_password.do', cookie => $jars[ $_ % @jars ], form => {
        passwordOld => $old, passwordNew => canary("Sesame-change-$round-$_") } ] } 1 .. 100 ]);
    my ($winner) = grep { ($replies[$_]{json}{status} // -1) == 0 } 0 .. $#replies;
    one_wins("old password $round: 100 changes, one counts", \@replies, '修改密码成功', '旧密码输入错误', '用户未登录');
    add_up(\%sum, tally(@replies));
    $winner = 0 if !defined $winner;
    ok(!login('change', $old), "old password $round: it is over");
    $old = "Sesame-change-$round-" . ($winner + 1);
    my $jar = Account::Jar->new->update($replies[$winner]);
    is((user_of($jar) || {})->{username}, 'change', "old password $round: who changed it goes on");
    ok(!(grep { user_of($_) } @jars), "old password $round: the other sessions are over");
    ok(login('change', $old), "old password $round: the new one counts");
}
diag("$mpm $server->{db}: one old password: " . text_of(\%sum));

# --- in and out ---

register(username => 'door', email => 'door@example.com');
$expected++;
%sum = ();
my @inside = map { login('door', $password) } 1 .. 50;
for my $round (1 .. 4) {
    my @replies = race($server->port, [ map {
        [ POST => '/user/login.do', form => { username => 'door', password => $password } ],
        [ POST => '/user/logout.do', cookie => $inside[$_] ] } 0 .. $#inside ]);
    add_up(\%sum, my $tally = tally(@replies));
    is_deeply($tally, { '登录成功' => 50, '退出成功' => 50 }, "in and out $round: 50 each, no stray error");
    ok(!(grep { user_of($_) } @inside), "in and out $round: who went is out");
    @inside = map { Account::Jar->new->update($replies[ 2 * $_ ]) } 0 .. 49;
    is(scalar(grep { (user_of($_) || {})->{username} } @inside), 50, "in and out $round: who came is in");
}
my @same = race($server->port, [ map { [ POST => '/user/logout.do', cookie => $inside[0] ] } 1 .. 100 ]);
is_deeply(tally(@same), { '退出成功' => 100 }, 'in and out: 100 times out of one session');
@same = race($server->port, [ map { [ POST => '/user/login.do', cookie => $inside[1],
    form => { username => 'door', password => $password } ] } 1 .. 100 ]);
is_deeply(tally(@same), { '登录成功' => 100 }, 'in and out: 100 logins over one session');
ok(!user_of($inside[1]), 'in and out: which it ends');

# --- so many sessions and no more; all end all others ---

register(username => 'few', email => 'few@example.com');
$expected++;
my $few = sub { $server->sql("SELECT COUNT(*) FROM account_session s JOIN account a ON a.id = s.account WHERE a.user_name = 'few'") };
my @few = (form => { username => 'few', password => $password });
for my $round (1 .. 3) {
    my @replies = race($server->port, [ map { [ POST => '/user/login.do', @few, headers => { Host => 'few.test' } ] } 1 .. 100 ]);
    is_deeply(tally(@replies), { '登录成功' => 100 }, "sessions $round: 100 logins at once");
    is($few->(), 5, "sessions $round: five stay");
    is(scalar(grep { user_of(Account::Jar->new->update($_)) } @replies), 5, "sessions $round: of the newest");
    my @jars = map { login('few', $password) } 1 .. 50;
    @replies = race($server->port, [ map { [ POST => '/account/sessions/end-others', cookie => $_ ] } @jars ]);
    my %status;
    $status{ $_->{status} }++ for @replies;
    is_deeply(\%status, { 200 => 1, 401 => 49 }, "sessions $round: of fifty that end each other one does");
    is($few->(), 1, "sessions $round: and stays");
}

# --- two change what is different ---

my ($left, $right) = map { login('door', $password) } 1 .. 2;
my $lost = 0;
for my $round (1 .. 25) {
    my @replies = race($server->port, [
        [ POST => '/user/update_information.do', cookie => $left, form => { phone => "phone-$round" } ],
        [ POST => '/user/update_information.do', cookie => $right, form => { question => "question-$round",
            answer => canary("Answer-race-both-$round") } ],
        [ POST => '/user/update_information.do', cookie => $right, form => { email => "door-$round\@example.com" } ],
    ], pause => 0.01);
    my $user = user_of($left);
    my @is = ("phone-$round", "question-$round", "Answer-race-both-$round", "door-$round\@example.com");
    my @got = @$user{qw(phone question answer email)};
    $lost++ if "@got" ne "@is" || grep { ($_->{json}{status} // -1) != 0 } @replies;
    diag("two changes $round: @got; " . text_of(tally(@replies))) if $lost == 1;
}
is($lost, 0, '25 times phone, question and e-mail changed at once: all are kept');

# --- nothing half-made ---

sub count { my ($sql) = @_; return $server->sql("SELECT COUNT(*) FROM $sql") }
is(count('account a WHERE NOT EXISTS (SELECT * FROM account_identifier i WHERE i.account = a.id)'), 0, 'no account without a name');
is(count('account_identifier i WHERE NOT EXISTS (SELECT * FROM account a WHERE a.id = i.account)'), 0, 'no name without an account');
is(count('account_session s WHERE NOT EXISTS (SELECT * FROM account a WHERE a.id = s.account)'), 0, 'no session without an account');
is(count('account'), $expected, 'as many accounts as winners');
is(count('account_identifier'), 2 * $expected, 'each with a user name and an e-mail address');
done();
