# matrix: once
#
# What `apachectl configtest` says to a configuration that cannot be right: what is wrong, where, what to do.
# A row is a name, the text, what the message must match, and options for Account::Server. The line that
# the message must name is marked with >> (taken out before the text is used).

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

# A contract that is right but for these lines.
sub contract {
    my ($lines) = @_;
    return <<"END";
<AccountContract c>
    AccountReply ok 200 '{"ok": true}'
    AccountReply *  200 '{"error": "%{outcome}"}'
$lines
    <AccountRoute spare GET /spare>
        AccountAction current
    </AccountRoute>
</AccountContract>
END
}

# A route in it, at GET|POST /r, right but for these lines.
sub route {
    my ($lines, $path) = @_;
    $path //= '/r';
    return contract("    <AccountRoute r GET|POST $path>\n$lines\n    </AccountRoute>");
}

# The same for a login.
sub login {
    my ($lines) = @_;
    return route("AccountAction login\nAccountParam account user\nAccountParam password pass\n$lines");
}

# A server without any of the module's directives but these.
my $module = $ENV{ACCOUNT_MODULE} || "$ROOT/.libs/mod_account.so";
sub bare {
    my ($lines) = @_;
    return "LoadModule account_module $module\nInclude $ROOT/conf/contracts/mmall.conf\n$lines\n";
}

my $keys = temp_dir('keys');
spew("$keys/open.key",  'A' x 64 . "\n", 0644);
spew("$keys/short.key", "c2VjcmV0\n",    0600);

my @rows = (

    # --- actions and their inputs ---
    [ 'an unknown action', route('>>AccountAction logn'), qr/no action logn \(did you mean login\?\)/ ],
    [ 'no action', contract("    >><AccountRoute r GET /r>\n    </AccountRoute>"), qr/route r has no AccountAction/ ],
    [ 'two actions', route("AccountAction current\n>>AccountAction none"), qr/one AccountAction, not two/ ],
    [ 'a required input is missing', contract(<<'END'), qr/action login needs the input password: AccountParam password NAME/ ],
    >><AccountRoute r GET /r>
        AccountAction login
        AccountParam account user
    </AccountRoute>
END
    [ 'one of several inputs is missing', contract(<<'END'), qr/register needs one of the inputs user_name, email, mobile, account/ ],
    >><AccountRoute r GET /r>
        AccountAction register
        AccountParam password pass length=6-255
    </AccountRoute>
END
    [ 'an unknown input', login('>>AccountParam cod code'), qr/login has no input cod \(did you mean code\?\)/ ],
    [ 'an unknown profile field', route("AccountAction update_profile\n>>AccountParam family_nam last"),
        qr/update_profile has no input family_nam \(did you mean family_name\?\)/ ],
    [ 'a profile field where none is taken', login('>>AccountParam nickname nick'), qr/login has no input nickname/ ],
    [ 'an AccountParam twice', login('>>AccountParam account user'), qr/AccountParam account user stands twice/ ],
    [ 'a constant is missing', contract(<<'END'), qr/send_code needs an AccountSet purpose/ ],
    >><AccountRoute r GET /r>
        AccountAction send_code
        AccountParam target to
        AccountReply * 200 '{}'
    </AccountRoute>
END
    [ 'an unknown constant', route("AccountAction send_code\nAccountParam target to\n>>AccountSet purpos login"),
        qr/send_code has no constant purpos \(did you mean purpose\?\)/ ],
    [ 'an unknown value of a constant', route("AccountAction send_code\nAccountParam target to\n>>AccountSet purpose logn"),
        qr/purpose can't be logn \(did you mean login\?\)/ ],
    [ 'a constant twice', route("AccountAction send_code\nAccountParam target to\nAccountSet purpose login\n>>AccountSet purpose any"),
        qr/purpose is set twice/ ],
    [ 'a code that no route issues', contract(<<'END'), qr/route r takes a code of the purpose reset, which no route of this contract issues/ ],
    >><AccountRoute r POST /r>
        AccountAction reset_password
        AccountSet purpose reset
        AccountParam target user
        AccountParam code code
        AccountParam password pass
    </AccountRoute>
END

    # --- routes ---
    [ 'a route twice', contract(<<'END'), qr/there is a route r already, at line 4/ ],
    <AccountRoute r GET /r>
        AccountAction current
    </AccountRoute>
    >><AccountRoute r GET /other>
        AccountAction current
    </AccountRoute>
END
    [ 'two routes that answer the same request', contract(<<'END'), qr/the routes a \(line 4\) and b answer the same request/ ],
    <AccountRoute a GET|POST /r/one>
        AccountAction current
    </AccountRoute>
    >><AccountRoute b POST /r/{which}>
        AccountAction current
    </AccountRoute>
END
    [ 'an unknown method', contract("    >><AccountRoute r GET|FETCH /r>\nAccountAction current\n    </AccountRoute>"),
        qr/FETCH is no method: GET, POST, PUT, PATCH and DELETE are/ ],
    [ 'a method in small letters', contract("    >><AccountRoute r post /r>\nAccountAction current\n    </AccountRoute>"),
        qr/post is no method/ ],
    [ 'a path without a slash', contract("    >><AccountRoute r GET login.do>\nAccountAction current\n    </AccountRoute>"),
        qr{the path login\.do must begin with /} ],
    [ 'a path that is half a parameter', contract("    >><AccountRoute r GET /r/x{id}>\nAccountAction current\n    </AccountRoute>"),
        qr/"x\{id\}" in the path .* is neither plain text nor a \{name\}/ ],
    [ 'a path with a query', contract("    >><AccountRoute r GET /r?x=1>\nAccountAction current\n    </AccountRoute>"),
        qr/neither plain text nor a \{name\}/ ],
    [ 'a path parameter that nothing reads', contract("    >><AccountRoute r GET /r/{id}>\nAccountAction current\n    </AccountRoute>"),
        qr/no AccountParam of the route r reads \{id\} of its path/ ],
    [ 'a route without a path', contract("    >><AccountRoute r GET>\nAccountAction current\n    </AccountRoute>"),
        qr/AccountRoute takes: NAME METHOD\|METHOD \/path/ ],

    # --- replies and messages ---
    [ 'an answer without its reply', <<'END', qr/route r has no AccountReply for the answer ok of current/ ],
<AccountContract c>
    AccountReply * 200 '{}'
    >><AccountRoute r GET /r>
        AccountAction current
    </AccountRoute>
</AccountContract>
END
    [ 'a refusal without its reply', <<'END', qr/no AccountReply for the refusal not-logged-in of current, and there is no AccountReply \*/ ],
<AccountContract c>
    AccountReply ok 200 '{}'
    >><AccountRoute r GET /r>
        AccountAction current
    </AccountRoute>
</AccountContract>
END
    [ 'a reply for what cannot happen on the route', login(">>AccountReply wrong-code 200 '{}'"),
        qr/the outcome wrong-code can't happen on the route r/ ],
    [ 'a reply for what cannot happen on any route', contract(">>    AccountReply taken.email 200 '{}'"),
        qr/the outcome taken\.email can't happen on any route of this contract/ ],
    [ 'an unknown outcome', login(">>AccountReply wrong-pasword 200 '{}'"),
        qr/wrong-pasword can't happen .*\(did you mean wrong-password\?\)/ ],
    [ 'a message for what cannot happen', login('>>AccountMessage wrong-answer "no"'),
        qr/the outcome wrong-answer can't happen on the route r/ ],
    [ 'a rule that no parameter has', login('>>AccountMessage invalid.account.match "no"'),
        qr/the outcome invalid\.account\.match can't happen on the route r/ ],
    [ 'two replies for one outcome', login("AccountReply unknown-account 200 '{}'\n>>AccountReply unknown-account 404 '{}'"),
        qr/AccountReply unknown-account stands twice/ ],
    [ 'two messages for one outcome', login(qq{AccountMessage disabled "a"\n>>AccountMessage disabled "b"}),
        qr/AccountMessage disabled stands twice/ ],
    [ 'a refusal that is shown without a text', contract(<<'END'), qr/unknown-account is shown with %\{message\} and has no AccountMessage.*route r/ ],
    >><AccountRoute r GET /r>
        AccountAction login
        AccountParam account user
        AccountParam password pass
        AccountReply * 200 '{"error": "%{message}"}'
    </AccountRoute>
END
    [ 'a message for everything', contract('>>    AccountMessage * "no"'), qr/there is no AccountMessage \*/ ],
    [ 'an HTTP status that is none', login(">>AccountReply disabled 99 '{}'"), qr/"99" is no HTTP status of a reply: 200 to 599/ ],
    [ 'an HTTP status beyond them', login(">>AccountReply disabled 600 '{}'"), qr/"600" is no HTTP status/ ],
    [ 'no HTTP status', login(">>AccountReply disabled '{}'"), qr/AccountReply takes: OUTCOME STATUS 'JSON' \(there are 2 words/ ],
    [ 'a text without quotes', login('>>AccountMessage disabled not any more'), qr/AccountMessage takes: .*\(there are 4 words; quotes keep blanks/ ],

    # --- templates ---
    [ 'an unknown field', login(q[>>AccountReply ok 200 '{"id": %{acount.id}}']),
        qr/there is no value %\{acount\.id\} \(did you mean account\.id\?\)/ ],
    [ 'an unknown shape', contract(qq[    AccountShape user '{"id": %{account.id}}'\n<AccountRoute r GET /r>\nAccountAction current\n]
        . qq[>>AccountReply ok 200 '{"data": %{usr}}'\n</AccountRoute>]), qr/there is no value %\{usr\} \(did you mean user\?\)/ ],
    [ 'a field that the outcome does not carry', login(q[>>AccountReply wrong-password 200 '{"id": %{account.id}}']),
        qr/the outcome wrong-password does not carry %\{account\.id\}/ ],
    [ 'the same in a shape', contract(qq[    AccountShape user '{"id": %{account.id}}'\n<AccountRoute r GET /r>\nAccountAction current\n]
        . qq[>>AccountReply not-logged-in 200 '{"data": %{user}}'\n</AccountRoute>]),
        qr/not-logged-in does not carry %\{account\.id\} \(in AccountShape user\)/ ],
    [ 'an unknown filter', login(q[>>AccountReply ok 200 '{"at": %{account.created|iso8602}}']),
        qr/there is no filter, map or shape iso8602 \(did you mean iso8601\?\)/ ],
    [ 'an unknown map', contract(qq[    AccountMap role admin=1 *=0\n<AccountRoute r GET /r>\nAccountAction current\n]
        . qq[>>AccountReply ok 200 '{"role": %{account.role|rol}}'\n</AccountRoute>]), qr/no filter, map or shape rol \(did you mean role\?\)/ ],
    [ 'a filter without its number', login(q[>>AccountReply ok 200 '{"id": %{account.id|add}}']), qr/the filter add takes a whole number/ ],
    [ 'a filter with half a value', login(q[>>AccountReply ok 200 '{"p": %{account.picture|or=none}}']), qr/the filter or takes JSON/ ],
    [ 'a time zone that is none', login(q[>>AccountReply ok 200 '{"at": %{account.created|iso8601=CST}}']), qr/"CST" is no time zone: write it as \+08:00/ ],
    [ 'a shape that contains itself', contract(qq[>>    AccountShape a '{"a": %{b}}'\n    AccountShape b '[%{a}]']),
        qr/the shape [ab] contains itself/ ],
    [ 'a shape in quotes', contract(qq[    AccountShape user '{"id": %{account.id}}'\n<AccountRoute r GET /r>\nAccountAction current\n]
        . qq[>>AccountReply ok 200 '{"data": "%{user}"}'\n</AccountRoute>]), qr/the shape %\{user\} can't stand in quotes/ ],
    [ 'a shape with the name of a value', contract(">>    AccountShape message '{}'"), qr/a shape can't be named message/ ],
    [ 'a shape twice', contract("    AccountShape a '{}'\n>>    AccountShape a '{}'"), qr/there is an AccountShape a already/ ],
    [ 'JSON with a comma too much', login(q[>>AccountReply ok 200 '{"a": 1, }']), qr/this is not JSON: .*near .*"a": 1, \}/ ],
    [ 'JSON that ends too early', login(q(>>AccountReply ok 200 '{"a": [1, 2}')), qr/this is not JSON: / ],
    [ 'JSON with a name twice', login(q[>>AccountReply ok 200 '{"a": 1, "a": 2}']), qr/this is not JSON: duplicate/ ],
    [ 'JSON that is wrong in a shape', contract(q[>>    AccountShape a '{a: 1}']), qr/this is not JSON: / ],
    [ 'a quote that is not closed', login(q[>>AccountReply ok 200 '{"a": 1}]), qr/AccountReply: the single quote that begins at .* is not closed/ ],
    [ 'a double quote that is not closed', login('>>AccountMessage disabled "not any more'), qr/AccountMessage: the double quote .* is not closed/ ],
    [ 'a slot that is not closed', login(q[>>AccountReply ok 200 '{"id": %{account.id}']), qr/this is not JSON|the %\{ at .* is not closed/ ],
    [ 'a slot that is not closed, in quotes', login(q[>>AccountReply ok 200 '{"id": "%{account.id"}']), qr/the %\{ at %\{account\.id.* is not closed/ ],
    [ 'a slot that is not closed, in a message', route(qq[AccountAction current\nAccountMessage not-logged-in "at %{mount"\n]
        . q[>>AccountReply not-logged-in 200 '{"m": "%{message}"}']), qr/the %\{ at %\{mount.* is not closed/ ],
    [ 'a slot for a name', login(q[>>AccountReply ok 200 '{"%{account.id}": 1}']), qr/a name can't be a %\{slot\}/ ],
    [ 'bytes that are not UTF-8 in a message', login(qq[>>AccountMessage disabled "caf\xE9"]), qr/the text is not valid UTF-8/ ],
    [ 'bytes that are not UTF-8 in a template', login(qq[>>AccountReply disabled 200 '{"a": "\xFF"}']), qr/the text is not valid UTF-8/ ],
    [ 'a variable that is not defined, in a template', login(q[>>AccountReply disabled 200 '{"shop": "${NO_SUCH_SHOP}"}']),
        qr/\$\{NO_SUCH_SHOP\}.* was not replaced: there is no Define of that name/ ],
    [ 'a variable that is not defined, in a message', login('>>AccountMessage disabled "${NO_SUCH_SHOP} is closed"'), qr/was not replaced/ ],
    [ 'a forgotten backslash', login(qq[AccountReply ok 200 '{"a": 1, \\\n>>"b": 2, \n"c": 3}']),
        qr/is not closed|several lines needs a backslash, and nothing after it, at each line's end/ ],
    [ 'a blank after the backslash', contract(qq[>>    AccountShape a '{"a": 1, \\ \n"b": 2}']),
        qr/is not closed|a template on several lines needs a backslash/ ],

    # --- maps ---
    [ 'a map without entries', contract('>>    AccountMap role'), qr/AccountMap takes: NAME key=value/ ],
    [ 'a map with a word that is no entry', contract('>>    AccountMap role admin'), qr/AccountMap takes|"admin" is no entry: write key=value/ ],
    [ 'a map with a key twice', contract('>>    AccountMap role admin=1 user=0 admin=2'), qr/AccountMap role has the key admin twice/ ],
    [ 'a map twice', contract("    AccountMap role admin=1 *=0\n>>    AccountMap role *=0"), qr/there is an AccountMap role already/ ],
    [ 'a map of outcomes without *', contract(qq[    AccountMap code ok=0\n<AccountRoute r GET /r>\nAccountAction current\n]
        . qq[>>AccountReply not-logged-in 200 '{"code": %{outcome|code}}'\n</AccountRoute>]),
        qr/AccountMap code has no entry for the outcome not-logged-in, and no \*/ ],

    # --- parameters ---
    [ 'an unknown converter', login('>>AccountParam code code|base46'), qr/there is no converter base46/ ],
    [ 'an unknown constraint', login('>>AccountParam code code optional'), qr/"optional" is no constraint/ ],
    [ 'a constraint with a slip', login('>>AccountParam code code requird'), qr/"requird" is no constraint \(did you mean required\?\)/ ],
    [ 'a length without a dash', login('>>AccountParam code code length=6'), qr/length=6 is no range: write length=MIN-MAX/ ],
    [ 'a length upside down', login('>>AccountParam code code length=10-6'), qr/length=10-6: .*not less than the minimum/ ],
    [ 'a regular expression that is none', login('>>AccountParam code code match=^[0-9$'),
        qr/match=\^\[0-9\$ is no regular expression: .*, at character \d+/ ],
    [ 'one-of without values', login('>>AccountParam code code one-of='), qr/"one-of=" is no constraint|one-of= needs values/ ],
    [ 'is= of what is not known', login('>>AccountParam code code is=phone'), qr/is=phone: there are mobile, email, date and resident-id/ ],
    [ 'a parameter without its name', login('>>AccountParam code'), qr/AccountParam takes: INPUT NAME/ ],

    # --- places ---
    [ 'a directive of httpd in a contract', contract('>>    Header set X-Shop 1'), qr/Header can't stand in an <AccountContract>/ ],
    [ 'a directive of httpd in a route', login('>>Require all granted'), qr/Require can't stand in an <AccountRoute>/ ],
    [ 'a directive with a slip', login(q[>>AccountRepli ok 200 '{}']),
        qr/AccountRepli can't stand in an <AccountRoute> \(did you mean AccountReply\?\)|Invalid command 'AccountRepli'/ ],
    [ 'a parameter outside of a route', contract('>>    AccountParam account user'), qr/AccountParam belongs inside an <AccountRoute>/ ],
    [ 'a map inside a route', login('>>AccountMap role *=0'), qr/AccountMap belongs outside of an <AccountRoute>/ ],
    [ 'a reply outside of a contract', ">>AccountReply ok 200 '{}'\n", qr/AccountReply belongs inside an <AccountContract>/ ],
    [ 'a route outside of a contract', ">><AccountRoute r GET /r>\nAccountAction current\n</AccountRoute>\n", qr/<AccountRoute belongs inside an <AccountContract>/ ],
    [ 'a contract without a name', ">><AccountContract>\n</AccountContract>\n", qr/<AccountContract NAME>/ ],
    [ 'a contract without a route', ">><AccountContract c>\n</AccountContract>\n", qr/a contract needs at least one <AccountRoute>/ ],
    [ 'a contract twice', contract('') . '>>' . contract(''), qr/there is a contract c already, at line 1 of / ],
    [ 'a contract in a virtual host', "<VirtualHost *:1>\n>><AccountContract c>\n</AccountContract>\n</VirtualHost>\n",
        qr/<AccountContract> cannot occur within <VirtualHost> section/ ],
    [ 'a cookie name that is none', contract('>>    AccountCookie "session id"'), qr/"session id" is no cookie name/ ],
    [ 'a duration without its unit', contract('>>    AccountSessionIdle 30'), qr/"30" is no duration: a whole number above 0 and s, m, h or d/ ],
    [ 'a duration of nothing', contract('>>    AccountSessionLife 0d'), qr/"0d" is no duration/ ],

    # --- mounts ---
    [ 'a contract that is not there', ">>AccountMount /user mmal\n", qr/there is no contract mmal \(did you mean mmall\?\)/ ],
    [ 'a route that is not there', "<Location /signin>\n>>AccountMount mmall logon\n</Location>\n",
        qr/the contract mmall has no route logon \(did you mean login\?\)/ ],
    [ 'a mount without a slash', ">>AccountMount user mmall\n", qr{AccountMount takes /url-path contract \[route\]} ],
    [ 'a mount with too many words', ">>AccountMount /user mmall login now\n", qr/AccountMount takes/ ],
    [ 'two mounts that answer the same request', "AccountMount /user mmall\n>>AccountMount /user mmall\n",
        qr/AccountMount \/user mmall and the one on line \d+ of .* answer the same request: route login, route login/ ],
    [ 'an action that is not in this version', contract(<<'END') . ">>AccountMount /later c\n", qr/route r .*action send_code, which this version does not have/ ],
    <AccountRoute r POST /r>
        AccountAction send_code
        AccountSet purpose any
        AccountParam target to
    </AccountRoute>
END
    [ 'a mount without a database', ">>AccountMount /user mmall\n", qr/AccountMount needs AccountDatabase: AccountDatabase sqlite3 /, db => 'none' ],
    [ 'a mount without a secret', bare("AccountDatabase sqlite3 \@DIR\@/account.db\n>>AccountMount /user mmall"),
        qr/AccountMount needs AccountSecretFile: .*openssl rand/, account => 0 ],
    [ 'a mount for some of the files only', qq[<Files "*.do">\n>>AccountMount mmall\n</Files>\n], qr/AccountMount can stand in a server/ ],

    # --- the server's own directives ---
    [ 'a secret that is not there', bare(">>AccountSecretFile $keys/no.key"), qr/AccountSecretFile: .*no\.key does not exist; make it with: .*openssl rand/,
        account => 0 ],
    [ 'a secret that others may read', bare(">>AccountSecretFile $keys/open.key"), qr/open\.key can be read or written by others than its owner; run chmod 600/, account => 0 ],
    [ 'a secret that is too short', bare(">>AccountSecretFile $keys/short.key"), qr/short\.key .*is too short: 6 bytes/,
        account => 0 ],
    [ 'a database that no driver is for', ">>AccountDatabase postgres dbname=account\n", qr/there is no driver postgres, use mysql or sqlite3/, db => 'none' ],
    [ 'a database without parameters', ">>AccountDatabase sqlite3\n", qr/AccountDatabase takes/, db => 'none' ],
    [ 'a realm that is no name', qq[>>AccountRealm "my shop"\n], qr/AccountRealm takes 1 to 64 letters, digits/ ],
    [ 'a realm that is too long', '>>AccountRealm ' . 'r' x 65 . "\n", qr/AccountRealm takes 1 to 64 letters, digits/ ],
    [ 'an idle time that is none', ">>AccountSessionIdle soon\n", qr/AccountSessionIdle: "soon" is no duration/ ],
    [ 'a password hash that is not known', ">>AccountPasswordHash md5\n", qr/AccountPasswordHash: "md5" is no known algorithm; there are argon2id and scrypt/ ],
    [ 'a password hash that costs too much', ">>AccountPasswordHash argon2id m=99999999 t=2 p=1\n", qr/AccountPasswordHash: .*m must be 8 to \d+/ ],
    [ 'a password hash with a number of another', ">>AccountPasswordHash argon2id m=19456 t=2 r=8\n", qr/"r=8" is unknown; argon2id takes m=, t= and p=/ ],
    [ 'a public address that is none', ">>AccountPublicURL shop.example\n", qr{"shop\.example" is no address: write it as https://shop\.example} ],
    [ 'a public address that is no web site', ">>AccountPublicURL ftp://shop.example\n", qr{"ftp://shop\.example" is no address} ],
);

for (@rows) {
    my ($name, $text, $message, %opt) = @$_;
    my $line = $text =~ /^[ \t]*>>/m ? 1 + (substr($text, 0, $-[0]) =~ tr/\n//) : undef;
    $text =~ s/^([ \t]*)>>/$1/m;
    my ($status, $said) = configtest("Include \@DIR\@/bad.conf\n", %opt,
        files => { 'bad.conf' => $text });
    my $here = defined $line ? qr/line $line of \S*bad\.conf|bad\.conf:$line\b/ : qr/\A/;
    ok($status && $said =~ $message && $said =~ $here, $name)
        or diag(defined $line ? "  wanted at line $line: " : '  wanted: ', "$message\n  said (status ", $status // 'none', "): $said");
}

# and what all of them are held against
my ($status, $said) = configtest("Include \@DIR\@/good.conf\n", files => { 'good.conf' => contract('') . login('') =~ s/c>/d>/r });
is($status, 0, 'what is right passes') or diag($said);
done();
