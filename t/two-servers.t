# Two httpd on one database, as behind a load balancer: what one decides holds for the other at once.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Race 'race';
use Account::Test;
use Time::HiRes 'sleep';

my $CLIENTS = 100;
my $password = canary('two-servers-secret-1');

my $mariadb = Account::MariaDB->new->start;
my $roomy = "ServerLimit 2\nStartServers 2\nThreadsPerChild 64\nMaxRequestWorkers 128\nAccountHashSlots 128\n";
my %like = (db => 'mysql', mpm => 'event', mariadb => $mariadb, loglevel => 'info', conf => $roomy);
my $one = Account::Server->new(unlimited => 1, %like);
my $two = Account::Server->new(unlimited => 1, %like, dbname => $one->{dbname});
spew($two->dir . '/account.key', slurp($one->dir . '/account.key'), 0600);
$_->start for $one, $two;

sub status_of { my ($server, $jar) = @_; return $server->get('/user/get_user_info.do', cookie => $jar)->{json}{status} }

sub log_in {
    my ($server, $name, $secret) = @_;
    my $jar = Account::Jar->new;
    my $r = $server->post('/user/login.do', form => { username => $name, password => $secret }, cookie => $jar);
    canary($r->{cookies}{mmall_login_token}{value}) if $r->{cookies}{mmall_login_token};
    return ($r->{json}{status} // -1) == 0 ? $jar : undef;
}

# --- both meet an empty database: one makes the tables, the other waits for them ---
my $free = sub { ($_[0] ? $two : $one)->get('/user/check_valid.do', query => { type => 'username', str => 'twin' })->{json}{status} };
is_deeply [ concurrent(2, $free) ], [ 0, 0 ], 'the first request of each is answered';

# --- one name, asked for at both at the same moment ---
my @halves = concurrent(2, sub {
    my ($half) = @_;
    return [ map { "$_->{status} " . ($_->{json}{msg} // '') } race($half ? $two->port : $one->port,
        [ map { [ POST => '/user/register.do', form => { username => 'twin', password => $password,
            email => "twin$half.$_\@example.com" } ] } 1 .. $CLIENTS / 2 ], pause => 0.3) ];
}, 30);
my %seen;
$seen{$_}++ for map { @$_ } @halves;
my $busy = delete $seen{'503 服务端异常'} // 0;
is_deeply \%seen, { '200 注册成功' => 1, '200 用户已存在' => $CLIENTS - 1 - $busy },
    "$CLIENTS registrations of one name: one wins" . ($busy ? " ($busy were turned away)" : '');
is $one->sql(q(SELECT COUNT(*) FROM account)), 1, 'one account';
is $one->sql(q(SELECT COUNT(*) FROM account_identifier)), 2, 'with its name and its address';

# --- sessions ---
my $jar = log_in($one, 'twin', $password);
ok $jar, 'logged in at the first';
is status_of($two, $jar), 0, 'and so at the second';
$two->post('/user/logout.do', cookie => $jar->header);    # the header: the jar keeps its cookie
is status_of($one, $jar), 1, 'logged out at the second: the first knows at once';

# --- a changed password ---
my $next = canary('two-servers-secret-2');
my ($mine, @others) = map { log_in($_, 'twin', $password) } $one, $one, $two;
is scalar(grep { defined } $mine, @others), 3, 'three sessions';
is $one->post('/user/reset_password.do', form => { passwordOld => $password, passwordNew => $next }, cookie => $mine)->{json}{status},
    0, 'one of them changes the password at the first server';
is status_of($two, $mine), 0, 'its new session is good at the second';
is status_of($two, $_), 1, 'another has ended there' for @others;
ok !log_in($two, 'twin', $password), 'the old password does not log in at the second';
ok log_in($two, 'twin', $next), 'the new one does';

# --- logins at one while the password changes at the other: no session of the old password is left ---
for my $round (1 .. 5) {
    my ($old, $new) = $round % 2 ? ($next, $password) : ($password, $next);
    my $owner = log_in($one, 'twin', $old);
    my @results = concurrent(2, sub {
        my ($who) = @_;
        if (!$who) {
            sleep 0.01 * $round;
            return $one->post('/user/reset_password.do', form => { passwordOld => $old, passwordNew => $new },
                cookie => $owner)->{json}{status};
        }
        return [ grep { defined } map { $_->{cookies}{mmall_login_token}{value} } race($two->port,
            [ map { [ POST => '/user/login.do', form => { username => 'twin', password => $old } ] } 1 .. 20 ], pause => 0) ];
    }, 30);
    is $results[0], 0, "round $round: the password changed";
    canary($_) for @{ $results[1] };
    my @live = grep { status_of($one, "mmall_login_token=$_") == 0 } @{ $results[1] };
    is scalar @live, 0, 'no session begun with the old one lives (' . @{ $results[1] } . ' had begun)';
}

# --- a code for one is a code for both, once ---
my %question = (username => 'quizzed', question => 'Why?', answer => canary('because-of-two'));
$one->post('/user/register.do', form => { %question, password => $password, email => 'quizzed@example.com', phone => '13800000000' });
my $token = $one->post('/user/forget_check_answer.do', form => \%question)->{json}{data};
canary($token) if $token;
my @spent = map { $_->{json}{status} } map { $_->post('/user/forget_reset_password.do',
    form => { username => 'quizzed', passwordNew => $next, forgetToken => $token }) } $two, $one;
is_deeply \@spent, [ 0, 1 ], 'a token of the first is spent at the second, and then worth nothing at the first';

# --- another server with other keys is not let in ---
my $stranger = Account::Server->new(unlimited => 1, %like, dbname => $one->{dbname}, allow => qr/AC00\d+/)->start;
is $stranger->post('/user/login.do', form => { username => 'twin', password => $password })->{status}, 503,
    'a server with other keys answers 503';
like $stranger->error_log, qr/key/, 'and its log says why';

$_->stop for $stranger, $two, $one;
done();
