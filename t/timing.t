# Who exists is not to be told from how long an answer takes: interleaved requests on one connection, at the real price of
# a password hash, compared by their 5th percentiles and medians. And the measurement can fail: a module without the hash
# that nothing matches fails it each time.
# matrix: once
# alone
use lib 't/lib';
use Account::Case;
use Account::Test;
use File::Basename 'dirname';
use IO::Socket::INET;
use List::Util 'shuffle';
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes 'time';

my $ROUNDS   = 200;     # of each kind of request, in an attempt
my $ATTEMPTS = 3;       # of the control: it must be found in each
my $MORE     = 6;       # times $ROUNDS at most, all taken together, where a machine busy with something else blurs them
my $LIMIT    = 1;       # ms that may differ
my $FOUND    = 10;      # ms that must differ without the dummy hash
my $PHONE    = '13921000001';
my $password = canary('Sesame-timing-1');
my $wrong    = canary('Sesame-timing-2');

my %of_both = (loglevel => 'info', hash => 'argon2id', mounts => '', conf => "MaxKeepAliveRequests 0\nKeepAliveTimeout 10\n"
        . "AccountSms file:\@DIR\@/messages.jsonl\nAccountMail file:\@DIR\@/messages.jsonl\n",
    vhost => [ map { join "\n", "ServerName $_.test", "AccountRealm $_", "AccountPublicURL http://$_.test",
        "AccountEnumeration $_", 'AccountMount /user guochuang', 'AccountMount /api/v1 youhaosuda',
        'AccountMount /mobileapi/customer kalengo',
        'AccountMount /account links' } qw(contract strict) ]);

# --- a module of which the dummy hash is taken away ---

sub run {
    my ($what, @command) = @_;
    my $log = temp_dir('run') . '/log';
    my $process = Account::Process->spawn(command => \@command, output => $log, limit => 60);
    my $status = $process->wait_for(70) // 'none';
    $status eq '0' or die "$what: status $status\n" . slurp($log);
    return slurp($log);
}

# The same objects but one, linked as the module is. Dies where it does not find what it changes.
sub module_without_dummy {
    my ($module) = @_;
    my $build = dirname(dirname($module));
    my $dir = temp_dir('variant');
    my $source = slurp("$ROOT/mod_account/action/hashing.c");
    $source =~ s/(apr_status_t rv = )(through_gate\(&job\));(?=\s*\*matches = has_hash)/$1has_hash ? $2 : APR_SUCCESS;/
        or die "hashing.c no longer looks as it did: what is to be taken out?\n";
    spew("$dir/hashing.c", $source);
    spew("$dir/print.mk", "account-print:\n\t\@echo 'COMPILE=\$(COMPILE)'\n\t\@echo 'CC=\$(CC)'\n\t\@echo 'LIBS=\$(CORE_LIBS) \$(LIBS)'\n");
    delete local @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
    my %make = run('make', 'make', '-s', '--no-print-directory', '-C', $build, '-f', 'Makefile', '-f', "$dir/print.mk",
        'account-print') =~ /^(COMPILE|CC|LIBS)=(.*)$/mg;
    keys %make == 3 or die "make in $build did not say how it compiles\n";
    my @members = grep { $_ eq 'hashing.o' } split /\n/, run('ar', 'ar', 't', "$build/.libs/libaccount.a");
    @members == 1 or die @members . " hashing.o in libaccount.a\n";
    spew("$dir/libaccount.a", slurp("$build/.libs/libaccount.a"));
    run('compiling', 'sh', '-c', "cd '$build' && $make{COMPILE} -fPIC -DPIC -c '$dir/hashing.c' -o '$dir/hashing.o'"
            . " && ar r '$dir/libaccount.a' '$dir/hashing.o'"
            . " && $make{CC} -shared -o '$dir/mod_account.so' -Wl,--whole-archive '$build/.libs/libhttpd.a'"
            . " '$dir/libaccount.a' -Wl,--no-whole-archive $make{LIBS}");
    return "$dir/mod_account.so";
}

# --- asking ---

sub connect_to {
    my ($server) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port, Timeout => 10) or die "$@\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 or die "TCP_NODELAY: $!\n";
    return $socket;
}

# Bytes out, one reply in: (milliseconds, the reply without its Date).
sub ask {
    my ($socket, $bytes) = @_;
    my $reply = '';
    my $start = time;
    syswrite($socket, $bytes) == length $bytes or die "not sent: $!\n";
    until ($reply =~ /\A.*?^Content-Length: (\d+)\r\n.*?\r\n\r\n/msi && length($reply) >= $+[0] + $1) {
        sysread $socket, $reply, 65536, length $reply or die "the connection ended ($!) after: $reply, of $bytes\n";
    }
    my $took = 1000 * (time - $start);
    $reply =~ s/^Date: .*\r\n//mi;
    return ($took, $reply);
}

sub request {
    my ($server, $realm, $path, $form) = @_;
    return Account::Client::build($server->port, POST => $path, form => $form,
        headers => { Host => "$realm.test", Connection => 'keep-alive' });
}

# Not a 400, after which httpd ends the connection.
sub login { my ($server, $realm, $name) = @_;
    return request($server, $realm, '/api/v1/account/login', { account => $name, password => $wrong }) }
sub forgot { my ($server, $realm, $to) = @_; return request($server, $realm, '/mobileapi/customer/forgotpwd', { email => $to }) }

# {kind => request} -> ({kind => its times, sorted}, {kind => {reply => how often}}); in every round all kinds, in any order.
sub measure {
    my ($server, $requests, $rounds) = @_;
    my $socket = connect_to($server);
    my (%took, %replies);
    ask($socket, $requests->{$_}) for (sort keys %$requests) x 3;
    for (1 .. $rounds) {
        for my $kind (shuffle sort keys %$requests) {
            my ($ms, $reply) = ask($socket, $requests->{$kind});
            push @{ $took{$kind} }, $ms;
            $replies{$kind}{$reply}++;
        }
    }
    @$_ = sort { $a <=> $b } @$_ for values %took;
    return (\%took, \%replies);
}

sub at { my ($times, $part) = @_; return $times->[ $part * $#$times ] }

# By how many ms the two differ, at each of the parts.
sub differences {
    my ($took, $one, $other, @parts) = @_;
    my @differences = map { at($took->{$one}, $_) - at($took->{$other}, $_) } @parts;
    diag(sprintf '%-30s %s', "$one - $other:", join ', ', map {
        sprintf 'at %g%%: %.2f - %.2f = %+.3f ms', 100 * $parts[$_], at($took->{$one}, $parts[$_]),
            at($took->{$other}, $parts[$_]), $differences[$_] } 0 .. $#parts);
    return @differences;
}

# Everything of $requests takes as long as $base. What does not seem to is measured for longer, together with what was
# measured before: noise goes down with the number of rounds, a difference stays.
sub take_as_long {
    my ($name, $server, $base, $requests, @parts) = @_;
    my %left = map { $_ => 1 } grep { $_ ne $base } keys %$requests;
    my (%replies, %took);
    for (1 .. $MORE) {
        my %asked = map { $_ => $requests->{$_} } $base, keys %left;
        my ($took, $replies) = measure($server, \%asked, $ROUNDS);
        %replies = (%replies, %$replies);
        $took{$_} = [ sort { $a <=> $b } @{ $took{$_} || [] }, @{ $took->{$_} } ] for keys %$took;
        for my $kind (sort keys %left) {
            delete $left{$kind} if !grep { abs >= $LIMIT } differences(\%took, $kind, $base, @parts);
        }
        last if !%left;
    }
    ok(!$left{$_}, "$name: $_: as long as $base, to $LIMIT ms") for grep { $_ ne $base } sort keys %$requests;
    return \%replies;
}

# --- who is asked for ---

# An account of each kind, in that realm.
sub populate {
    my ($server, $realm) = @_;
    my $do = sub { my ($method, $path, %opt) = @_;
        my $r = $server->request($method, $path, %opt, headers => { Host => "$realm.test" });
        $r->{status} == 200 && !$r->{json}{code} or die "$path: $r->{status} $r->{text}\n" };
    $do->(POST => '/user/register', form => { account => $_, password => $password }) for qw(known closed older);
    $do->(POST => '/mobileapi/customer/register',
        form => { firstname => 'A', lastname => 'B', email => 'known@example.com', pwd => $password });
    $do->(GET => "/user/registerPhone/$PHONE");
    my $message;
    wait_until(10, sub { ($message) = reverse grep { $_->{to} eq $PHONE } Account::Case::messages($server); $message }) or die "no code\n";
    $do->(POST => "/user/registerPhone/$PHONE", json => { identifying_code => canary($message->{code}) });
    $server->sql("UPDATE account SET status = 'disabled' WHERE realm = '$realm' AND user_name = 'closed'");
    unlink $server->dir . '/messages.jsonl';
}

sub sql_of { my ($server, $realm, $what, $name) = @_;
    return $server->sql("SELECT COALESCE($what, 'none') FROM account WHERE realm = '$realm' AND '$name' IN (user_name, mobile)") }

my $server = Account::Server->new(%of_both)->start;
populate($server, $_) for qw(contract strict);
is(sql_of($server, contract => password => $PHONE), 'none', 'an account without a password');
is(sql_of($server, contract => status => 'closed'), 'disabled', 'a disabled one');
like(sql_of($server, contract => password => 'known'), qr/\A\$argon2id\$v=19\$m=19456,t=2,p=1\$/, 'hashes at their real price');

# One hashed at an older price takes that price, until its owner logs in: that much is told. Not that it costs nothing.
$server->sql("UPDATE account SET password = REPLACE(password, 'm=19456,t=2,p=1', 'm=7168,t=5,p=1') WHERE user_name = 'older'");
like(sql_of($server, contract => password => 'older'), qr/\A\$argon2id\$v=19\$m=7168,t=5,p=1\$/, 'one with another price');
my ($older) = measure($server, { map { $_ => login($server, contract => $_) } qw(known older) }, $ROUNDS / 4);
differences($older, 'older', 'known', 0.05, 0.5);
cmp_ok(at($older->{older}, 0.05), '>', $FOUND, 'which takes a hash, too');

my %who = ('wrong password' => 'known', 'unknown user' => 'nobody', 'without a password' => $PHONE, disabled => 'closed');
my %logins = map { $_ => login($server, contract => $who{$_}) } keys %who;
take_as_long('login', $server, 'wrong password', \%logins, 0.05, 0.5);
%logins = map { $_ => login($server, strict => $who{$_}) } keys %who;
my $replies = take_as_long('login, strict', $server, 'wrong password', \%logins, 0.05, 0.5);
my %all = map { map { $_ => 1 } keys %$_ } values %$replies;
is(scalar keys %all, 1, 'login, strict: and one answer, byte by byte') or diag(join "\n", sort keys %all);
like((keys %all)[0], qr/\AHTTP\S+ 200 .*"code": ?201/s, 'login, strict: which refuses');

my %links = ('known address' => forgot($server, strict => 'known@example.com'),
    'unknown address' => forgot($server, strict => 'nobody@example.com'));
$replies = take_as_long('a link', $server, 'known address', \%links, 0.5);
%all = map { map { $_ => 1 } keys %$_ } values %$replies;
is(scalar keys %all, 1, 'a link: one answer, byte by byte') or diag(join "\n", sort keys %all);
like((keys %all)[0], qr/Request has sent/, 'a link: that it was sent');
ok(wait_until(20, sub { Account::Case::messages($server) >= $ROUNDS }), 'a link: and it was, to the known address');
is(scalar(grep { $_->{to} ne 'known@example.com' } Account::Case::messages($server)), 0, 'a link: to no other');
canary($_->{link} =~ s/.*=//r) for (grep { $_->{link} } Account::Case::messages($server))[ 0, 1 ];
$server->stop;

# --- the control ---

my $control = Account::Server->new(%of_both, module => module_without_dummy($server->{module}))->start;
populate($control, 'contract');
%logins = map { $_ => login($control, contract => $who{$_}) } 'wrong password', 'unknown user', 'without a password';
for my $attempt (1 .. $ATTEMPTS) {
    my ($took) = measure($control, \%logins, $ROUNDS / 4);
    for my $kind ('unknown user', 'without a password') {
        my @found = differences($took, 'wrong password', $kind, 0.05, 0.5);
        is(scalar(grep { $_ > $FOUND } @found), 2, "without the dummy hash: $kind: is found, attempt $attempt");
    }
}
done();
