# AuthType Account: the session that an API call opened guards files, scripts and what is behind a proxy.
# matrix: all
use lib 't/lib';
use Account::Test;
use Time::HiRes 'sleep';

my $server = Account::Server->new(modules => ["include"],
    mounts => "AccountMount /user mmall\nAccountMount /management management\nAccountMount /mobileapi/customer kalengo\n"
        . "AccountMail \"file:\@DIR\@/messages.jsonl\" \"Shop <shop\@example.com>\"\nAccountPublicURL http://127.0.0.1:\@PORT\@\nAccountMount /account links\n",
    files => { map { ("htdocs/$_/index.html" => "the $_ page\n") } qw(members staff verified mobile fresh open any expr if never nologin rewritten) },
    conf => <<'END',
LogFormat "%u|%{user}^ac|%{role}^ac|%U" who
CustomLog "@DIR@/logs/who_log" who
AccountLoginPage /signin.html
<Location "/members">
    AuthType Account
    AuthName members
    Require account
</Location>
<Location "/staff">
    AuthType Account
    Require account-role admin creator
</Location>
<Location "/verified">
    AuthType Account
    Require account-verified email
</Location>
<Location "/mobile">
    AuthType Account
    Require account-verified mobile
</Location>
<Location "/fresh">
    AuthType Account
    Require account-fresh 2s
</Location>
<Location "/open">
    AuthType Account
    Require all granted
    Header set X-Who "expr=%{ACCOUNT:user}/%{ACCOUNT:role}/%{ACCOUNT:email_verified}/%{ACCOUNT:nickname}"
</Location>
<Location "/any">
    AuthType Account
    <RequireAny>
        Require expr "%{HTTP:X-Key} == 'right'"
        Require account
    </RequireAny>
</Location>
<Location "/expr">
    Require expr "%{ACCOUNT:role} != 'blocked'"
</Location>
<If "%{ACCOUNT:role} == 'admin'">
    Header set X-If admin
</If>
<Location "/never">
    AuthType Account
    Require account-role admin
    AccountLoginPage off
</Location>
<Location "/nologin/index.html">
    AuthType Account
    Require account
    AccountLoginPage /nologin/index.html
</Location>
RewriteEngine On
RewriteCond expr "%{ACCOUNT:user} =~ /^(.+)$/"
RewriteRule ^/mine$ /members/index.html?%1 [PT]
RewriteCond %{LA-U:REMOTE_USER} ^$
RewriteRule ^/members/look$ /static.txt [PT]
END
)->start;

my @browser = (Accept => 'text/html,application/xhtml+xml', 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document');

sub account {
    my ($name, $role) = @_;
    my $password = canary("Sesame-$name-guard");
    my $jar = Account::Jar->new;
    $server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" });
    $server->sql("UPDATE account SET role = '$role' WHERE user_name = '$name'") if $role;
    is($server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar)->{json}{status}, 0, "$name");
    return ($jar, $password);
}

my ($anna, $annas) = account('anna', 'admin');
my ($bert, $berts) = account('bert');

sub status { my ($path, %opt) = @_; return $server->get($path, %opt)->{status} }

# --- who may ---

my @rows = (
    # path, nobody, bert, anna
    [ '/members/', 401, 200, 200 ], [ '/members/index.html', 401, 200, 200 ], [ '/members', 401, 301, 301 ],
    [ '/staff/', 401, 403, 200 ], [ '/verified/', 401, 403, 403 ], [ '/mobile/', 401, 403, 403 ], [ '/fresh/', 401, 200, 200 ],
    [ '/open/', 200, 200, 200 ], [ '/any/', 401, 200, 200 ], [ '/expr/', 200, 200, 200 ], [ '/never/', 401, 403, 200 ],
    [ '/members/none', 401, 404, 404 ], [ '/mine', 404, 200, 200 ],
);
($bert) = login_again('bert', $berts);
($anna) = login_again('anna', $annas);

sub login_again {
    my ($name, $password) = @_;
    my $jar = Account::Jar->new;
    $server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar);
    return $jar;
}

for my $row (@rows) {
    my ($path, @wanted) = @$row;
    my @got = map { status($path, $_ ? (cookie => $_) : ()) } undef, $bert, $anna;
    is("@got", "@wanted", "$path: nobody, bert, anna");
}
done();
