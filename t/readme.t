# matrix: once
#
# Every block of README.md is run as it stands, in order, as a reader would: clone, demo, tour, build, install, key,
# database, configuration, and the contract that it invents. What must differ here is in one table.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Process 'free_port';

my $dir     = temp_dir('readme');
my $port    = free_port();
my $stage   = "$dir/stage";    # what `make install` makes
my $readme  = slurp("$ROOT/README.md");
my $mariadb = Account::MariaDB->new->start;
utf8::decode($readme);

# README's => ours. Each must occur.
my @here = (
    [ 'https://example.org/mod_account' => "$dir/origin/mod_account" ],
    [ 'http://127.0.0.1:8080'           => "http://127.0.0.1:$port" ],
    [ '/etc/apache2/account.key'        => "$dir/account.key" ],
    [ 'modules/mod_account.so'          => $stage . Account::Server::apxs('LIBEXECDIR') . '/mod_account.so' ],
    [ '/usr/local/share/mod_account'    => "$stage/usr/local/share/mod_account" ],
    [ 'host=localhost'                  => "sock=$mariadb->{socket}" ],
    [ '/var/lib/account'                => "$dir/lib/account" ],
    [ '-o www-data -g www-data'         => '-o ' . getpwuid($>) . ' -g ' . getgrgid((split ' ', $))[0]) ],
);
my %used;
sub here {
    my ($text) = @_;
    for (@here) {
        my ($theirs, $ours) = @$_;
        $used{$theirs}++ if $text =~ s/\Q$theirs\E(?![\w-])/$ours/g;
    }
    return $text;
}

# [language, line, text] of each block, by heading
my (%blocks, @tours);
{
    my ($number, $heading, $block) = (0, '');
    for (split /\n/, $readme) {
        $number++;
        if ($block) {
            if (/\A```\z/) { undef $block }
            else           { $block->[2] .= "$_\n" }
        }
        elsif (/\A```(\S*)/) {
            push @{ $blocks{$heading} }, $block = [ $1, $number + 1, '' ];
            push @tours, $block if $1 eq 'console';
        }
        elsif (/\A##+ (.*)/) { $heading = $1 }
    }
    ok(!$block, 'each block ends');
}

# What is run here, and by which test what is not: each of them takes its blocks out of README.md as well.
my %here = (
    '' => 'sh', 'A tour' => 'console console', 'Into an Apache that you have' => 'sh sh sql apache',
    'Messages: mail and SMS' => 'json', 'Roles' => 'sql', 'Reward points, and fields from your own tables' => 'sql apache',
    'The contract language' => 'apache',
);
my %elsewhere = (
    'Protect a folder' => 'guarded.t', 'Behind PHP' => 'behind.t', 'Behind a proxied application' => 'behind.t',
    'nginx in front' => 'forward.t', 'Shared hosting' => 'htaccess.t',
);
for my $heading (sort keys %blocks) {
    my $languages = join ' ', map { $_->[0] } @{ $blocks{$heading} };
    if (my $test = $elsewhere{$heading}) {
        like(slurp("$ROOT/t/$test"), qr/README.*\Q$heading\E|\Q$heading\E.*README/s, "README, $heading: $test runs it");
    }
    else { is($languages, $here{$heading} // 'nobody runs them', "README, $heading: the blocks that are run here") }
}
sub block { my ($heading, $i) = @_; return $blocks{$heading}[$i][2] // die "README has no such block: $heading\n" }
my $start = block('', 0);
my ($build, $key, $sql, $conf) = map { block('Into an Apache that you have', $_) } 0 .. 3;
my ($template, $promote) = (block('Messages: mail and SMS', 0), block('Roles', 0));
my ($point, $lookup) = map { block('Reward points, and fields from your own tables', $_) } 0, 1;
my $contract = block('The contract language', 0);

# (exit status, what it said) of lines of a shell, in a directory
my $run_count = 0;
sub shell {
    my ($at, $script, %env) = @_;
    my $output = "$dir/output." . ++$run_count;
    my $run = Account::Process->spawn(output => $output, limit => 200, env => { DESTDIR => '', CFLAGS => '-O0', %env },
        command => [ 'env', '-u', 'MAKEFLAGS', '-u', 'MAKELEVEL', '-C', $at, 'bash', '-ec', $script ]);
    my $status = $run->wait_for(210);
    utf8::decode(my $said = slurp($output));
    return ($status, $said);
}

sub runs {
    my ($name, $at, $script, %env) = @_;
    my ($status, $said) = shell($at, $script, %env);
    is($status, 0, $name) or diag($script, $said);
    return $said;
}

# --- clone ---

# ./check knows what belongs to the tree; of that a repository, in the place of the one that README names.
my ($copy_tree) = slurp("$ROOT/check") =~ /^(copy_tree\(\) \{\n.*?^\}\n)/ms;
ok($copy_tree, 'check has a function copy_tree');
my $origin = here('https://example.org/mod_account');
runs('a repository', $dir, "here=\$ROOT\n$copy_tree\ncopy_tree $origin\ncd $origin\ngit init -q\ngit add -A\n"
    . "git -c user.name=x -c user.email=x\@x.test commit -qm x\n", ROOT => $ROOT);

my ($clone, $demo_line, @more) = split /\n/, $start;
like($clone, qr/\Agit clone \S+ && cd mod_account\z/, 'README: first a clone');
is($demo_line, './demo', 'README: then ./demo');
is_deeply(\@more, [], 'README: that is all');
runs("README: $clone", $dir, here($clone));
my $tree = "$dir/mod_account";
ok(-x "$tree/demo" && -x "$tree/check", 'demo and check can be run');

# --- the demo, and the tour through it ---

my $demo_output = "$dir/demo.output";
my $demo = Account::Process->spawn(output => $demo_output, limit => 280,
    command => [ 'env', '-u', 'ACCOUNT_RUN', '-u', 'MAKEFLAGS', '-C', $tree, "PORT=$port", 'CFLAGS=-O0', 'bash', '-c', "exec $demo_line" ]);
my $up = wait_until(200, sub { !$demo->running || slurp($demo_output) =~ /^Ctrl-C/m }) && $demo->running;
ok($up, 'README: ./demo starts') or diag(slurp($demo_output));
is(Account::Client::request($port, GET => '/')->{status}, 200, 'the demo has a start page');
ok(-d "$tree/run", 'what the demo makes lies in ./run');

sub same_each_time {
    my ($line) = @_;
    $line =~ s/"id":[1-9]\d*/"id":ID/g;
    $line =~ s/(?<!\d)[12]\d{12}(?!\d)/MS/g;
    return $line;
}

my @steps;
for my $tour (@tours) {
    my $number = $tour->[1] - 1;
    my $first = @steps;
    for (split /\n/, $tour->[2]) {
        $number++;
        if (/\A\$ (.*)/)       { push @steps, [ $number, $1, '' ] }
        elsif (@steps > $first) { $steps[-1][2] .= "$_\n" }
        else                    { fail("README.md:$number: a reply without a command") }
    }
}
cmp_ok(scalar(@steps), '>', 2, 'the tour has commands');
mkdir "$dir/tour";
for (@steps) {
    my ($at, $command, $reply) = @$_;
    my ($status, $said) = shell("$dir/tour", here($command));
    my @got  = map { same_each_time($_) } split /\n/, $said;
    my @want = map { same_each_time($_) } split /\n/, $reply;
    is($status, 0, "README.md:$at: $command");
    is_deeply(\@got, \@want, "README.md:$at: answers as README says") or diag($said);
}
$demo->signal('INT');
ok(defined $demo->wait_for(30), 'the demo ends');

# README says how many routes the contract of the tour has.
my %word = (eleven => 11);
my ($name, $count) = $readme =~ /the contract `(\w+)` \((\w+) routes\)/;
my @routes = slurp("$tree/conf/contracts/" . ($name // 'x') . '.conf') =~ /^\s*<AccountRoute /mg;
is(scalar(@routes), $word{ $count // '' } // $count, 'the contract of the tour has as many routes as README says');
ok(-e "$tree/$_", "README links to $_") for $readme =~ /\]\((?!https?:)([^)#]+)\)/g;

# --- build and install ---

my ($apt, @lines) = split /\n/, $build =~ s/\\\n\s*/ /gr;
is(scalar(@lines), 1, 'README: one line that builds');
my ($packages) = $apt =~ /\Aapt-get install (.*)/;
my @packages = split ' ', $packages // '';
cmp_ok(scalar(@packages), '>', 5, 'README: packages');
my %by_check = map { $_ => 1 } map { split } slurp("$ROOT/check") =~ /^PACKAGES="([^"]*)"/m;
is(join(' ', grep { !$by_check{$_} } @packages), '', 'all of them are in the list of ./check');
my %by_readme = map { $_ => 1 } @packages;
is(join(' ', grep { /-dev\z|-dbd-/ && $_ ne 'libc6-dev' && !$by_readme{$_} } sort keys %by_check), '',
    'the libraries that ./check needs are in README');
SKIP: {
    skip 'no dpkg here', 1 if !grep { -x "$_/dpkg-query" } split /:/, $ENV{PATH};
    my @unknown = grep { `dpkg-query -W -f '\${db:Status-Status}' $_ 2>/dev/null` ne 'installed' } @packages;
    is("@unknown", '', 'all of them are packages, and were here when this was built');
}

runs("README: $lines[0]", $tree, $lines[0], DESTDIR => $stage);
my ($module) = here('modules/mod_account.so');
ok(-s $module, 'the module is installed');
my ($share) = here('/usr/local/share/mod_account');
my @installed = map { s{\A\Q$share\E/}{}r } glob "$share/contracts/*.conf $share/texts/*/* $share/sql/*/*.sql";
my @shipped = map { s{\A\Q$tree\E/(?:conf/)?}{}r } glob "$tree/conf/contracts/*.conf $tree/conf/texts/*/* $tree/sql/*/*.sql";
is("@installed", "@shipped", 'contracts, texts and SQL are installed');

# --- key, database, configuration ---

runs('README: the key', $dir, here($key));
is((stat "$dir/account.key")[2] & 0777, 0600, 'the key is readable by its owner only');

$mariadb->sql("DROP USER account\@localhost, account\@'127.0.0.1'");    # those of the test library
ok(eval { $mariadb->sql($sql); 1 }, 'README: the SQL') or diag($@);
canary($sql =~ /IDENTIFIED BY '([^']+)'/ ? $1 : 'no password in the SQL');

my $plain = Account::Server->new(account => 0, conf => here($conf));
my ($status, $said) = $plain->configtest;
is($status, 0, 'README: the configuration passes configtest') or diag($said);

# The contract in a file of its own, mounted as its first line says.
spew("$dir/tiny.conf", $contract);
my ($mount) = $contract =~ /\A#.*?(AccountMount \S+ \w+)$/m;
ok(defined $mount, 'the contract says how to mount it');
$plain->{conf} .= "\nInclude $dir/tiny.conf\n" . ($mount // '') . "\n";
$plain->write_conf->start;

my %geely = (username => 'geely', password => canary('geely12345'));
my %browser = (headers => { Origin => 'https://shop.example' });
my $jar = Account::Jar->new;
my $r = $plain->post('/user/register.do', form => { %geely, email => 'geely@example.com' }, %browser);
is($r->{json}{status}, 0, 'registers, in MariaDB') or diag($r->{text});
$r = $plain->post('/user/login.do', form => \%geely, cookie => $jar, %browser);
is($r->{json}{status}, 0, 'logs in') or diag($r->{text});
ok($r->{cookies}{mmall_login_token}{secure}, 'by AccountPublicURL the cookie is for TLS only');
is($plain->get('/user/get_user_info.do', cookie => $jar)->{json}{data}{username}, 'geely', 'and has a session');
is($plain->request(TRACE => '/')->{status}, 405, 'no TRACE');

# --- the first administrator, points, the shop's own tables, a gateway ---

$mariadb->sql($promote, 'account');
ok(wait_until(12, sub { $plain->get('/user/get_user_info.do', cookie => $jar)->{json}{data}{role} == 1 }), 'README: an administrator, after ten seconds');
$mariadb->sql($point, 'account');
is($mariadb->sql('SELECT SUM(amount) FROM account_point WHERE account = 1', 'account'), 20, 'README: points');
spew("$dir/sms.json", $template);
is($template, slurp("$ROOT/conf/sms.json"), 'README: the template is the one that ships');
my $extended = Account::Server->new(account => 0, conf => here($conf) . "AccountTexts $ROOT/conf/texts\n"
    . "AccountSms https://gateway.example/send $dir/sms.json\n$lookup");
($status, $said) = $extended->configtest;
is($status, 0, 'README: the template and the lookup pass configtest') or diag($said);

# --- the contract ---

my %tiny = (name => 'anna', password => canary('a-long-password'));
my $person = qr/\{"id":[1-9]\d*,"name":"anna","level":1,"since":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"\}/;
my $signed_in = qr/\A\{"ok":true,"person":$person\}\z/;
my $anna = Account::Jar->new;
sub answers {
    my ($what, $r, $status, $body) = @_;
    is($r->{status}, $status, "tiny: $what: $status") or diag($r->{text});
    if (ref $body) { like($r->{text}, $body, "tiny: $what: the reply") }
    else           { is($r->{text}, $body, "tiny: $what: the reply") }
}
answers('nobody', $plain->get('/api/session'), 401, '{"ok":false,"error":"not-logged-in"}');
answers('a short password', $plain->post('/api/people', json => { %tiny, password => 'short-one' }), 400,
    '{"ok":false,"error":"invalid.password.length","text":"A password has ten characters or more."}');
answers('a bad name', $plain->post('/api/people', json => { %tiny, name => 'Anna 1' }), 400,
    '{"ok":false,"error":"invalid.user_name.match","text":"Please look at your input again."}');
answers('join', $plain->post('/api/people', json => { %tiny, nick => 'anna' }, cookie => $anna), 200, $signed_in);
ok($anna->get('tiny_session'), 'tiny: join: begins a session');
answers('a taken name', $plain->post('/api/people', form => \%tiny), 409,
    '{"ok":false,"error":"taken","text":"Somebody has that name."}');
answers('me', $plain->get('/api/session', cookie => $anna), 200, $signed_in);
answers('leave', $plain->request(DELETE => '/api/session', cookie => $anna), 200, '{"ok":true}');
answers('me no more', $plain->get('/api/session', cookie => $anna), 401, '{"ok":false,"error":"not-logged-in"}');
answers('a wrong password', $plain->post('/api/session', json => { %tiny, password => 'another-password' }), 400,
    '{"ok":false,"error":"wrong-password","text":"Unknown name or wrong password."}');
answers('enter', $plain->post('/api/session', json => \%tiny, cookie => $anna), 200, $signed_in);
answers('and me again', $plain->get('/api/session', cookie => $anna), 200, $signed_in);

# --- lost keys ---

my ($forget) = $readme =~ /`(UPDATE account_\w+ SET [^`]+)`/;
ok(defined $forget, 'README: what to do about lost keys');
$plain->stop;
runs('README: another key', $dir, here($key));
$plain->start;
is($plain->get('/api/session', cookie => $anna)->{status}, 503, 'a database that was used with other keys is refused');
$plain->stop;
$mariadb->sql($forget, 'account');
$plain->start;
answers('with a new key sessions have ended', $plain->get('/api/session', cookie => $anna), 401,
    '{"ok":false,"error":"not-logged-in"}');
answers('with a new key passwords go on working', $plain->post('/api/session', json => \%tiny, cookie => $anna), 200, $signed_in);
$plain->stop;

# --- SQLite instead ---

my ($install)  = $readme =~ /`(install -d [^`]+)`/;
my ($database) = $readme =~ /`(AccountDatabase sqlite3 [^`|]+)`/;
ok(defined $install && defined $database, 'README: SQLite');
runs("README: $install", $dir, "mkdir lib\n" . here($install));
(my $with_sqlite = $conf) =~ s/^AccountDatabase .*/$database/m;
my $sqlite = Account::Server->new(account => 0, conf => here($with_sqlite))->start;
is($sqlite->post('/user/register.do', form => { %geely, email => 'geely@example.com' })->{json}{status}, 0, 'registers, in SQLite');
is($sqlite->post('/user/login.do', form => \%geely)->{json}{status}, 0, 'and logs in');
is((glob "$dir/lib/account/*")[0], "$dir/lib/account/account.db", 'the database is where README puts it');

is_deeply([ grep { !$used{$_} } map { $_->[0] } @here ], [], 'README has all that is replaced here');
done();
