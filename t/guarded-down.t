# While the database can't tell who somebody is, nobody is let in and nobody is turned away: 503, whoever asked.
# matrix: once
# alone
#
# Both MPMs with MariaDB: dead, and frozen.
use lib 't/lib';
use Account::Test;
use Time::HiRes 'time';

my $password = canary('Sesame-guard-down');
my @guards = (
    # folder => what stands in its <Location>
    [ require => "AuthType Account\nRequire account" ],
    [ role => "AuthType Account\nRequire account-role admin" ],
    [ optional => "AuthType Account\nRequire all granted" ],
    [ any => "AuthType Account\n<RequireAny>\nRequire account\nRequire all granted\n</RequireAny>" ],
    [ none => "AuthType Account\n<RequireAll>\nRequire all granted\nRequire not account-role creator\n</RequireAll>" ],
    [ expr => "Require expr \"%{ACCOUNT:role} != 'blocked'\"" ],
    [ noexpr => "Require expr \"! (%{ACCOUNT:role} == 'blocked')\"" ],
    [ both => "AuthType Account\nRequire expr \"%{ACCOUNT:user} == ''\"" ],
    [ satisfy => "AuthType Account\nSatisfy any\nRequire account" ],
    [ header => "RequestHeader set X-Role \"expr=%{ACCOUNT:role}\"" ],
    [ thrice => "Require expr \"%{ACCOUNT:role} != 'a' && %{ACCOUNT:user} != 'b' && %{ACCOUNT:id} != 'c'\"" ],
);

sub conf {
    my $conf = "ErrorDocument 503 /down.html\nRewriteEngine On\n"
        . "RewriteCond expr \"%{ACCOUNT:role} != 'blocked'\"\nRewriteRule ^/rewritten\$ /static.txt [PT]\n"
        . "RewriteCond expr \"%{ACCOUNT:role} != 'blocked'\"\nRewriteRule ^/proxied\$ http://127.0.0.1:\@PORT\@/static.txt [P]\n"
        . "RewriteCond %{LA-U:REMOTE_USER} ^\$\nRewriteRule ^/require/look\$ /static.txt [PT,NS]\n"
        . "<Location /if>\n<If \"%{ACCOUNT:role} == 'blocked'\">\nRequire all denied\n</If>\n</Location>\n"
        . "<Directory \@HTDOCS\@/index>\n<Files index.html>\nRequire expr \"%{ACCOUNT:role} != 'blocked'\"\n</Files>\n</Directory>\n";
    return $conf . join '', map { "<Location /$_->[0]>\n$_->[1]\n</Location>\n" } @guards;
}

my @paths = ((map { "/$_->[0]/" } @guards), qw(/rewritten /proxied /require/look /if/ /index/ /user/get_user_info.do));

sub ask {
    my ($server, $jar, $path, %opt) = @_;
    my $r = $server->get($path, cookie => Account::Jar->new(%$jar), timeout => 8, %opt);
    return ($r, "$r->{status}" . ($r->{status} == 503 && ($r->{headers}{'retry-after'} || [''])->[0] =~ /\A\d+\z/ ? ' later' : ''));
}

for my $mpm (qw(event prefork)) {
    my $mariadb = Account::MariaDB->new->start;
    my $server = Account::Server->new(sql_counts => 1, mpm => $mpm, db => 'mysql', mariadb => $mariadb, conf => conf(),
        modules => [qw(proxy proxy_http access_compat)],
        files => { (map { ("htdocs/$_/index.html" => "$_\n") } 'if', 'index', map { $_->[0] } @guards), 'htdocs/down.html' => "We are back soon.\n" })->start;
    my $jar = Account::Jar->new;
    $server->post('/user/register.do', form => { username => 'anna', password => $password, email => 'anna@example.com' });
    $server->post('/user/login.do', form => { username => 'anna', password => $password }, cookie => $jar);
    ok($jar->get('mmall_login_token'), "$mpm: signed in");

    my %usual = map { ($_ => (ask($server, $jar, $_))[1]) } @paths;
    is($usual{'/require/'} . $usual{'/role/'} . $usual{'/expr/'} . $usual{'/if/'}, '200403200200', "$mpm: as usual");
    is($usual{'/require/look'}, 404, "$mpm: look-ahead knows who it is");

    for my $trouble (qw(dead frozen)) {
        $trouble eq 'dead' ? $mariadb->kill9 : $mariadb->sigstop;
        for my $path (@paths) {
            my ($r, $got) = ask($server, $jar, $path);
            is($got, '503 later', "$mpm, $trouble: $path") or diag(substr $r->{text}, 0, 200);
            cmp_ok($r->{seconds}, '<', 3, "... soon");
        }
        my ($r) = ask($server, $jar, '/require/');
        is($r->{text}, "We are back soon.\n", "$mpm, $trouble: the site's own page says so");
        is($server->get('/static.txt', cookie => $jar)->{status}, 200, "$mpm, $trouble: what asks nobody is served");
        is($server->get('/require/')->{status}, 401, "$mpm, $trouble: who shows no session has none, whatever the database says");
        is($server->get('/expr/')->{status}, 200, "$mpm, $trouble: nor a role");
        $trouble eq 'dead' ? $mariadb->start : $mariadb->sigcont;
        my %now;    # each child heals by itself
        my $as_before = sub { %now = map { ($_ => (ask($server, $jar, $_))[1]) } @paths; return !grep { $now{$_} ne $usual{$_} } @paths };
        ok(wait_until(10, sub { $as_before->() && $as_before->() }), "$mpm: heals") or diag(join ', ', map { "$_ $now{$_}" } @paths);
    }
    like($server->error_log, qr/AC00260: who sends this can't be found out now/, "$mpm: the log says so");
    $server->stop;
    $mariadb->stop;
}
done();
