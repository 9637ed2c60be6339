# What proves something once proves it once, however many show it at the same moment; and guesses at it are counted
# before they are looked at.
# matrix: all
# alone
use lib 't/lib';
use Account::Race 'race';
use Account::Case;
use Account::Test;

my $CLIENTS = 100;
my $password = canary('Sesame-codes-1');
my $mpm = $ENV{ACCOUNT_MPM} || 'event';
my $mariadb = ($ENV{ACCOUNT_DB} || '') eq 'mysql' ? Account::MariaDB->new(options => ['--max-connections=400'])->start : undef;

# Room for all of them: nobody is turned away before it comes to the code. Limits are on only where they are tested.
my @OFF = map { "AccountLimit $_ off" } qw(send-interval send-target send-address send-network send-total captcha-target
    captcha-address captcha-failures captcha-pictures code-client reveal-address reveal-network password-account
    password-address);
my $quota = 'AccountLimit code-target 20/1d';
my %realm = (
    once  => [ @OFF, 'AccountLimit code-target off' ],
    guess => [ @OFF, 'AccountLimit code-target off' ],
    quota => [ @OFF, $quota ],
    asked => [ (grep { !/captcha-target/ } @OFF), 'AccountLimit captcha-target 1/1d' ],
);
my $server = Account::Server->new(
    limits => 1,
    mariadb => $mariadb, loglevel => 'info', mounts => '',
    conf => ($mpm eq 'event'
        ? "ServerLimit 4\nStartServers 4\nThreadsPerChild 64\nMinSpareThreads 64\nMaxSpareThreads 256\n"
        : "ServerLimit 256\nStartServers 220\nMinSpareServers 10\nMaxSpareServers 256\n")
        . "MaxRequestWorkers 256\nAccountHashSlots 256\nAccountTexts \@ROOT\@/conf/texts\n"
        . "AccountSms file:\@DIR\@/messages.jsonl\nAccountMail file:\@DIR\@/messages.jsonl\n",
    vhost => [ map { join "\n", "ServerName $_.test", "AccountPublicURL http://$_.test", "AccountRealm $_",
        'AccountMount /user guochuang', 'AccountMount /mobileapi/customer kalengo', 'AccountMount /api/v1 youhaosuda',
        'AccountMount /account links', @{ $realm{$_} } } sort keys %realm ],
)->start;
wait_until(20, sub { (() = $server->child_pids) >= ($mpm eq 'event' ? 4 : 220) }) or diag('too few children');

sub ask {
    my ($realm, $method, $path, %opt) = @_;
    $opt{headers} = { %{ $opt{headers} || {} }, Host => "$realm.test" };
    return $server->request($method, $path, %opt);
}

# The same at once: [POST => path, form => {..}], ...
sub at_once {
    my ($realm, @requests) = @_;
    return race($server->port, [ map { my ($method, $path, %opt) = @$_;
        [ $method, $path, %opt, headers => { %{ $opt{headers} || {} }, Host => "$realm.test" } ] } @requests ], timeout => 30);
}

sub said { my ($r) = @_; return $r->{error} // "$r->{status} " . ($r->{json} ? $r->{json}{msg} // $r->{json}{code} : 'page') }

# What each server may say when it is too busy; it never counts for or against.
sub tally { my %seen; $seen{ said($_) }++ for grep { $_->{status} != 503 } @_; return \%seen }
sub text_of { my ($seen) = @_; return join ', ', map { "$seen->{$_} x $_" } sort keys %$seen }

sub one_wins {
    my ($name, $winner, $others, @replies) = @_;
    my $seen = tally(@replies);
    my @odd = grep { my $said = $_; $said ne $winner && !grep { $said eq $_ } @$others } keys %$seen;
    return ok(($seen->{$winner} // 0) == 1 && !@odd, $name) || diag(text_of($seen)) && 0;
}

# The part (code, link) of the next message to somebody that has one.
my %read;
sub part_for {
    my ($part, $to) = @_;
    my @messages;
    wait_until(15, sub {
        @messages = grep { $_->{to} eq $to && defined $_->{$part} } Account::Case::messages($server);
        @messages > ($read{"$part $to"} // 0);
    }) or die "no message with a $part to $to\n";
    return canary($messages[ $read{"$part $to"}++ ]{$part});
}

sub send_code {
    my ($realm, $route, $number) = @_;
    my $r = ask($realm, GET => "/user/$route/$number");
    $r->{status} == 200 or die "$route $number: " . said($r) . "\n";
    return part_for(code => $number);
}

sub register_phone {
    my ($realm, $number) = @_;
    my $code = send_code($realm, registerPhone => $number);
    my $r = ask($realm, POST => "/user/registerPhone/$number", json => { identifying_code => $code });
    $r->{status} == 200 or die "$number was not registered: " . said($r) . "\n";
}

sub sql { my ($query) = @_; return scalar $server->sql($query) }

my $WRONG = '400 验证码错误，请重新输入';
my $OVER  = '404 验证码已经过期，请重新申请';
my $MANY  = '429 操作过于频繁，请稍后再试';

# --- one right code ---

for my $round (1 .. 5) {
    my $number = "1391000000$round";
    my $code = send_code(once => registerPhone => $number);
    my @replies = at_once(once => map { [ POST => "/user/registerPhone/$number", json => { identifying_code => $code } ] } 1 .. $CLIENTS);
    one_wins("registering $round: $CLIENTS show one code, one registers", '200 register successful', [ '403 register failure' ], @replies);
    is(sql("SELECT COUNT(*) FROM account WHERE realm = 'once' AND mobile = '$number'"), 1, "registering $round: one account");
}
for my $round (1 .. 5) {
    my $number = '13910000001';
    my $code = send_code(once => loginPhone => $number);
    my @replies = at_once(once => map { [ POST => "/user/loginPhone/$number", json => { identifying_code => $code } ] } 1 .. $CLIENTS);
    one_wins("logging in $round: $CLIENTS show one code, one is in", '200 login successful', [$OVER], @replies);
    my @cookies = grep { defined } map { $_->{cookies}{account_session}{value} } @replies;
    canary($_) for @cookies;
    is(scalar @cookies, 1, "logging in $round: one session");
}
for my $round (1 .. 3) {
    my $number = '13910000002';
    my $code = send_code(once => forgetPassword => $number);
    my @replies = at_once(once => map { [ POST => "/user/forgetPassword/$number",
        json => { identifying => $code, new_password => canary("Sesame-reset-$round-$_") } ] } 1 .. $CLIENTS);
    one_wins("resetting $round: $CLIENTS show one code, one sets its password", '200 login successful', ['400 验证码已经过期'], @replies);
    my @in = grep { said(ask('once', POST => '/user/login', json => { account => $number, password => "Sesame-reset-$round-$_" }))
        eq '200 login successful' } grep { $replies[ $_ - 1 ]{status} == 200 } 1 .. $CLIENTS;
    is(scalar @in, 1, "resetting $round: and that is the password");
}

# --- one mailed token ---

ask('once', POST => '/mobileapi/customer/register', form => { firstname => 'Anna', lastname => 'Mann', email => 'anna@codes.example', pwd => $password });
for my $round (1 .. 3) {
    ask('once', GET => '/mobileapi/customer/forgotpwd', query => { email => 'anna@codes.example' });
    my ($token) = part_for(link => 'anna@codes.example') =~ /[?&]token=([^&\s]+)/;
    canary($token);
    is(ask('once', GET => '/account/reset', query => { token => $token })->{status}, 200, "a mailed token $round: looking spends nothing") for 1 .. 3;
    my @replies = at_once(once => map { my $new = canary("Sesame-link-$round-$_"); [ POST => '/account/reset',
        form => { token => $token, password => $new, password_again => $new } ] } 1 .. $CLIENTS);
    one_wins("a mailed token $round: $CLIENTS use it, one counts", '200 page', ['410 page'], @replies);
    my ($winner) = grep { $replies[$_]{status} == 200 } 0 .. $#replies;
    my $r = ask('once', POST => '/mobileapi/customer/login',
        form => { username => 'anna@codes.example', password => "Sesame-link-$round-" . (($winner // 0) + 1) });
    is($r->{json}{code}, 0, "a mailed token $round: its password is the one");
}

# --- one captcha ---

for my $round (1 .. 3) {
    my $number = "1391000100$round";
    ask('asked', POST => '/api/v1/account/send_regist_validate_sms', form => { mobile => $number });
    my $id = ask('asked', GET => '/api/v1/captcha')->{json}{id};
    my %shown = (captcha_id => $id, captcha_value => Account::Case::captcha_text($server, 'asked', $id));
    my @replies = at_once(asked => map { [ POST => '/api/v1/account/send_regist_validate_sms', form => { mobile => $number, %shown } ] } 1 .. $CLIENTS);
    one_wins("a captcha $round: $CLIENTS solve it, one may send", '200 200', ['200 214'], @replies);
    is(sql("SELECT COUNT(*) FROM account_message WHERE realm = 'asked' AND recipient = '$number'"), 2, "a captcha $round: and one message went");
}

# --- many wrong ones at once ---

register_phone(guess => '13910002001');
my @rounds = ([ loginPhone => 'identifying_code', {}, $WRONG, $OVER, '200 login successful' ],
    [ forgetPassword => 'identifying', { new_password => $password }, '401 验证码错误', '400 验证码已经过期', '200 login successful' ]);
for (@rounds, @rounds) {
    my ($route, $field, $more, $wrong, $over, $right) = @$_;
    my $number = '13910002001';
    my $code = send_code(guess => $route => $number);
    my @replies = at_once(guess => map { [ POST => "/user/$route/$number",
        json => { %$more, $field => sprintf '%06d', ($code + $_) % 1000000 } ] } 1 .. 200);
    my $seen = tally(@replies);
    cmp_ok($seen->{$wrong} // 0, '<=', 5, "$route: of 200 wrong codes at once 5 are looked at");
    cmp_ok($seen->{$wrong} // 0, '>=', 1, "$route: and one at least");
    is_deeply([ sort keys %$seen ], [ sort $wrong, $over ], "$route: the others learn nothing") or diag(text_of($seen));
    is(said(ask('guess', POST => "/user/$route/$number", json => { %$more, $field => $code })), $over, "$route: the right one is refused afterwards");
    $code = send_code(guess => $route => $number);
    is(said(ask('guess', POST => "/user/$route/$number", json => { %$more, $field => $code })), $right, "$route: a new one is good");
}
my $code = send_code(guess => registerPhone => '13910002002');
at_once(guess => map { [ POST => '/user/registerPhone/13910002002', json => { identifying_code => sprintf '%06d', ($code + $_) % 1000000 } ] } 1 .. 200);
is(said(ask('guess', POST => '/user/registerPhone/13910002002', json => { identifying_code => $code })), '403 register failure',
    'registerPhone: after 200 wrong ones the right one is refused');
is(sql("SELECT COUNT(*) FROM account WHERE realm = 'guess' AND mobile = '13910002002'"), 0, 'registerPhone: and there is no account');

# the right one among them: at most five wrong ones are in its way, or it is
for my $round (1 .. 3) {
    my $number = '13910002001';
    $code = send_code(guess => loginPhone => $number);
    my @replies = at_once(guess => map { [ POST => "/user/loginPhone/$number",
        json => { identifying_code => $_ == 50 ? $code : sprintf '%06d', ($code + $_) % 1000000 } ] } 1 .. $CLIENTS);
    my $seen = tally(@replies);
    cmp_ok($seen->{$WRONG} // 0, '<=', 5, "among $CLIENTS $round: five wrong ones are looked at");
    cmp_ok($seen->{'200 login successful'} // 0, '<=', 1, "among $CLIENTS $round: and the right one once");
    is_deeply([ grep { $_ ne $WRONG && $_ ne $OVER && $_ ne '200 login successful' } keys %$seen ], [], "among $CLIENTS $round: nothing else");
}

# --- code after code: the number's own quota ---

register_phone(quota => '13910003001');
my ($looked_at, $codes) = (0, 0);
for my $route (qw(loginPhone forgetPassword loginPhone forgetPassword loginPhone)) {
    my $number = '13910003001';
    my ($field, $more) = $route eq 'loginPhone' ? ('identifying_code', {}) : ('identifying', { new_password => $password });
    $code = send_code(quota => $route => $number);
    $codes++;
    my @replies = at_once(quota => map { [ POST => "/user/$route/$number",
        json => { %$more, $field => sprintf '%06d', ($code + $_) % 1000000 } ] } 1 .. 40);
    my $seen = tally(@replies);
    $looked_at += ($seen->{$WRONG} // 0) + ($seen->{'401 验证码错误'} // 0);
    $server->restart('graceful') if $codes == 2;
}
cmp_ok($looked_at, '<=', 20, '200 wrong ones at five codes: 20 are looked at');
cmp_ok($looked_at, '>=', 15, 'and not many less');
diag("$mpm $server->{db}: $looked_at of 200 guesses at five codes looked at");
ask('quota', POST => '/user/loginPhone/13910003001', json => { identifying_code => 'x' }) for 1 .. 5;    # what is left of the 20
$code = send_code(quota => loginPhone => '13910003001');
is(said(ask('quota', POST => '/user/loginPhone/13910003001', json => { identifying_code => $code })), $MANY, 'the right one is refused for the day');
my $reset = send_code(quota => forgetPassword => '13910003001');
is(said(ask('quota', POST => '/user/forgetPassword/13910003001', json => { identifying => $reset, new_password => $password })), $MANY,
    'whatever it is for');
$server->stop->start;
is(said(ask('quota', POST => '/user/loginPhone/13910003001', json => { identifying_code => $code })), $MANY, 'after a restart, too');
register_phone(quota => '13910003002');
$code = send_code(quota => loginPhone => '13910003002');
is(said(ask('quota', POST => '/user/loginPhone/13910003002', json => { identifying_code => $code })), '200 login successful', 'another number is not concerned');
sql("UPDATE account_limit SET until = until - 86401000 WHERE realm = 'quota'");
$code = send_code(quota => loginPhone => '13910003001');
is(said(ask('quota', POST => '/user/loginPhone/13910003001', json => { identifying_code => $code })), '200 login successful', 'a day later it is good again');

# --- right ones are not counted ---

for (1 .. 25) {
    $code = send_code(quota => loginPhone => '13910003002');
    my $r = ask('quota', POST => '/user/loginPhone/13910003002', json => { identifying_code => $code });
    next if said($r) eq '200 login successful';
    fail('25 right codes: ' . said($r));
    last;
}
is(said(ask('quota', POST => '/user/loginPhone/13910003002', json => { identifying_code => '000000' })), $OVER, '25 right codes use nothing up');
done();
