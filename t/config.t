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

# A contract whose route sends a code to what the constraint lets through.
sub sender {
    my ($constraint) = @_;
    return route("AccountAction send_code\nAccountSet purpose any\nAccountParam target to $constraint");
}

# A contract that mails an address; one that has what the address leads to.
my $mailing = contract("    <AccountRoute r POST /r>\nAccountAction send_link\nAccountParam target to is=email\n    </AccountRoute>");
my $page    = <<'END';
<AccountContract d>
    AccountReply ok 200 '{"ok": true}'
    AccountReply *  200 '{"error": "%{outcome}"}'
    <AccountRoute show GET /again>
        AccountAction open_link
        AccountParam token token
    </AccountRoute>
    <AccountRoute do POST /again>
        AccountAction reset_by_link
        AccountParam token token
        AccountParam password password
    </AccountRoute>
</AccountContract>
END
my $mail = qq[AccountMail file:\@DIR\@/mail.jsonl\n];
my $sms  = "AccountSms file:\@DIR\@/sms.jsonl\n";

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
    [ 'a mount without a database', ">>AccountMount /user mmall\n", qr/AccountMount needs AccountDatabase: AccountDatabase sqlite3 /, db => 'none' ],
    [ 'a mount without a secret', bare("AccountDatabase sqlite3 \@DIR\@/account.db\n>>AccountMount /user mmall"),
        qr/AccountMount needs AccountSecretFile: .*openssl rand/, account => 0 ],
    [ 'a mount for some of the files only', qq[<Files "*.do">\n>>AccountMount mmall\n</Files>\n], qr/AccountMount can stand in a server/ ],

    # --- what mounted routes need ---
    [ 'a code to mobile numbers without a gateway', sender('is=mobile') . "$mail>>AccountMount /later c\n",
        qr{the contract c is mounted here, and its route r sends text messages and needs AccountSms https://} ],
    [ 'a code to mail addresses without mail', sender('is=email') . "$sms>>AccountMount /later c\n",
        qr{route r sends mail and needs AccountMail smtp://localhost:25 "Shop} ],
    [ 'a gateway that is off', sender('is=mobile') . "${sms}AccountSms off\n>>AccountMount /later c\n", qr/needs AccountSms/ ],
    [ 'a gateway of another virtual host', sender('is=mobile') . "<VirtualHost *:1>\n$sms</VirtualHost>\n>>AccountMount /later c\n",
        qr/needs AccountSms/ ],
    [ 'an activation by mail without mail', contract(<<'END') . ">>AccountMount /later c\n", qr/route r sends mail and needs AccountMail/ ],
    <AccountRoute r POST /r>
        AccountAction register
        AccountSet then activate
        AccountParam email email
        AccountParam password password
    </AccountRoute>
END
    [ 'a mailed address that leads nowhere', "$mailing$mail>>AccountMount /later c\n",
        qr/route r sends an address where the action reset_by_link is: mount a contract that has it.*or write AccountLink reset URL/ ],
    [ 'a mailed address whose action is in another realm',
        "$mailing$page$mail>>AccountMount /later c\n<VirtualHost *:1>\nAccountRealm other\nAccountMount /d d\n</VirtualHost>\n",
        qr/where the action reset_by_link is/ ],
    [ 'a mailed address whose action has no page', "$mailing$page$mail>>AccountMount /later c\nAccountMount /d/again d do\n",
        qr/where the action reset_by_link is/ ],
    [ 'a mailed address of a site without a name', "$mailing$page$mail>>AccountMount /later c\nAccountMount /d d\n",
        qr{sends addresses of this site and needs AccountPublicURL https://shop\.example, or AccountLink reset URL} ],
    [ 'a captcha without its font', route(<<'END', '/r/{id}') . "AccountCaptchaFont nofont.ttf\n>>AccountMount /later c\n",
        AccountAction captcha_image
        AccountParam captcha_id id
END
        qr{route r draws pictures, which can't be: .*nofont\.ttf} ],
    [ 'a page without its texts', contract(<<'END') . "AccountTexts \@DIR\@/notexts\n>>AccountMount /later c\n", qr{this needs texts \(AccountTexts FOLDER, AccountLanguage\): .*notexts/en} ],
    <AccountRoute r GET /r>
        AccountAction open_link
        AccountParam token token
        AccountPage ok 200 reset
    </AccountRoute>
END
    [ 'a message without its texts', "AccountLanguage tlh\n>>$mail", qr{this needs texts .*/tlh} ],
    [ 'two ways for one realm', "$mail<VirtualHost *:1>\n>>AccountMail file:\@DIR\@/other.jsonl\n</VirtualHost>\n",
        qr/the realm default has another AccountMail on line 1 of \S*bad\.conf: one realm, one way \(AccountRealm/ ],
    [ 'a device cookie that is a session', "AccountDeviceCookie account_session\n" . contract('') . ">>AccountMount /later c\n",
        qr/AccountDeviceCookie account_session is the session's cookie of a contract/ ],

    # --- the server's own directives ---
    [ 'mail without a way',          ">>AccountMail\n",             qr{AccountMail takes: smtp://HOST:PORT "Shop} ],
    [ 'mail with a quote too few',   '>>AccountMail smtp://localhost:25 "Shop <shop@shop.example>' . "\n", qr/AccountMail: the double quote that begins at "Shop.* is not closed/ ],
    [ 'mail by what is no way',      ">>AccountMail pigeon://loft shop\@shop.example\n", qr{AccountMail: pigeon://\S+ is no address of a known kind} ],
    [ 'a gateway that is no way',    ">>AccountSms gopher://gateway x.json\n", qr{AccountSms: gopher://\S+ is no address of a known kind} ],
    [ 'a gateway without a way',     ">>AccountSms\n",              qr{AccountSms takes: https://GATEWAY/PATH TEMPLATE} ],
    [ 'mail in a folder',            "<Directory />\n>>$mail</Directory>\n", qr{AccountMail belongs into the server.s configuration or a <VirtualHost>\. It can.t stand in \.htaccess.*What a folder may have: AccountMount} ],
    [ 'a limit without a number',    ">>AccountLimit send-target\n", qr{AccountLimit takes a name and so many in so long: send-target 5/1h} ],
    [ 'an unknown limit',            ">>AccountLimit send-taget 5/1h\n", qr/there is no limit send-taget \(did you mean send-target\?\)/ ],
    [ 'a limit without its time',    ">>AccountLimit send-target 5\n", qr/AccountLimit send-target: "5" is no limit/ ],
    [ 'a limit of which one part is wrong', ">>AccountLimit send-target 5/1h ten/1d\n", qr{AccountLimit send-target: "ten/1d" is no limit} ],
    [ 'a language that is a path',   ">>AccountLanguage ../zh\n",   qr{AccountLanguage: "\.\./zh" is no language: zh and en ship} ],
    [ 'texts without a folder',      ">>AccountTexts\n",            qr/AccountTexts takes one argument/ ],
    [ 'a link of another kind',      ">>AccountLink rest https://shop.example/x\n", qr/AccountLink: there is no rest, but activate and reset \(did you mean reset\?\)/ ],
    [ 'a link that is no address',   ">>AccountLink reset /reset.html\n", qr{AccountLink: "/reset\.html" is no address: write it as https://shop\.example/reset} ],
    [ 'a link with a quote in it',   qq[>>AccountLink reset 'https://shop.example/"x'\n], qr/is no address/ ],
    [ 'an activation that is neither', ">>AccountActivation perhaps\n", qr/AccountActivation must be On or Off/ ],
    [ 'no roles',                    ">>AccountRoles\n",            qr/AccountRoles takes the names of roles/ ],
    [ 'a role in capitals',          ">>AccountRoles user Admin\n", qr/AccountRoles: "Admin" is no role: 1 to 64 small letters/ ],
    [ 'a role that is too long',     '>>AccountAdminRoles ' . 'r' x 65 . "\n", qr/AccountAdminRoles: "r+" is no role/ ],
    [ 'a role twice',                ">>AccountRoles user admin user\n", qr/AccountRoles: user stands twice/ ],
    [ 'a chosen role that there is not', ">>AccountChosenRoles vip_usr\n", qr/AccountChosenRoles: vip_usr is none of AccountRoles \(did you mean vip_user\?\)/ ],
    [ 'an admin that there is not',  "AccountRoles user boss\n<VirtualHost *:1>\n>>AccountAdminRoles admin\n</VirtualHost>\n",
        qr/AccountAdminRoles: admin is none of AccountRoles/ ],
    [ 'an enumeration that is neither', ">>AccountEnumeration off\n", qr/AccountEnumeration takes contract .* or strict/ ],
    [ 'a time zone by its name',     ">>AccountTimeZone CST\n",     qr/AccountTimeZone: "CST" is no time zone: write it as \+08:00/ ],
    [ 'a time zone without its sign', ">>AccountTimeZone 008:00\n", qr/"008:00" is no time zone/ ],
    [ 'a time zone off the earth',   ">>AccountTimeZone -14:30\n",  qr/"-14:30" is no time zone: at most 14:00/ ],
    [ 'a device cookie that is none', ">>AccountDeviceCookie my;device\n", qr/AccountDeviceCookie: "my;device" is no cookie name/ ],
    [ 'a lookup without its query',  ">>AccountLookup orders\n",    qr/AccountLookup takes: FIELD,FIELD "SELECT .* \(there are 1 words/ ],
    [ 'a lookup without quotes',     ">>AccountLookup orders SELECT 1\n", qr/AccountLookup takes: .*\(there are 3 words/ ],
    [ 'a lookup that writes',        qq[>>AccountLookup orders "DELETE FROM shop_order"\n], qr/AccountLookup: .*SELECT/ ],
    [ 'a field that two lookups fill', qq[AccountLookup a,b "SELECT 1, 2"\n>>AccountLookup c,b "SELECT 3, 4"\n], qr/AccountLookup: the field b has one already/ ],
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
    [ 'sessions without a number', ">>AccountSessionsPerAccount many\n", qr/AccountSessionsPerAccount takes a whole number from 1 to 1000, or off/ ],
    [ 'no sessions at all', ">>AccountSessionsPerAccount 0\n", qr/AccountSessionsPerAccount takes a whole number from 1 to 1000, or off/ ],
    [ 'sessions beyond number', ">>AccountSessionsPerAccount 1001\n", qr/AccountSessionsPerAccount takes a whole number from 1 to 1000, or off/ ],
    [ 'a password hash that is not known', ">>AccountPasswordHash md5\n", qr/AccountPasswordHash: "md5" is no known algorithm; there are argon2id and scrypt/ ],
    [ 'a password hash that costs too much', ">>AccountPasswordHash argon2id m=99999999 t=2 p=1\n", qr/AccountPasswordHash: .*m must be 8 to \d+/ ],
    [ 'a password hash with a number of another', ">>AccountPasswordHash argon2id m=19456 t=2 r=8\n", qr/"r=8" is unknown; argon2id takes m=, t= and p=/ ],
    [ 'a public address that is none', ">>AccountPublicURL shop.example\n", qr{"shop\.example" is no address: write it as https://shop\.example} ],
    [ 'an origin of everybody', ">>AccountAllowOrigin https://app.example *\n", qr/AccountAllowOrigin: \* would let every site act .*: name each origin, https:/ ],
    [ 'an origin of nobody', ">>AccountAllowOrigin null\n", qr/AccountAllowOrigin: null is what any page can make itself/ ],
    [ 'an origin with a path', ">>AccountAllowOrigin https://app.example/x\n", qr{AccountAllowOrigin: "https://app\.example/x" is no origin: write scheme, host} ],
    [ 'an origin with a wildcard', ">>AccountAllowOrigin https://*.example\n", qr{"https://\*\.example" is no origin} ],
    [ 'no origin',         ">>AccountAllowOrigin\n",  qr{AccountAllowOrigin takes origins of other sites, https://app\.example, or off} ],
    [ 'an origin and off', "AccountAllowOrigin https://app.example\n>>AccountAllowOrigin off\n", qr/AccountAllowOrigin: off stands alone/ ],
    [ 'origins in a folder', "<Location />\n>>AccountAllowOrigin https://app.example\n</Location>\n", qr/AccountAllowOrigin not allowed (?:in|here)/ ],
    [ 'a SameSite that is none', ">>AccountSameSite Any\n", qr/AccountSameSite: "Any" is none of Lax .*, Strict .* and None/ ],
    [ 'SameSite None without an address', ">>AccountSameSite None\n", qr{AccountSameSite None needs AccountPublicURL https://.*has none} ],
    [ 'SameSite None without TLS', "AccountPublicURL http://shop.example\n>>AccountSameSite none\n",
        qr{AccountSameSite None needs AccountPublicURL https://.*has http://shop\.example} ],
    [ 'SameSite None, and a virtual host without TLS',
        "AccountPublicURL https://shop.example\n>>AccountSameSite None\n<VirtualHost *:1>\nServerName plain.example\nAccountPublicURL http://plain.example\n</VirtualHost>\n",
        qr{AccountSameSite None needs .*the server plain\.example has http://plain\.example} ],
    [ 'an inspection that is neither', ">>AccountInspectSecrets perhaps\n", qr/AccountInspectSecrets must be On or Off/ ],
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

# What is right, so that the rows above are about what they say.
my @good = (
    [ 'gateways of all kinds', qq[AccountMail smtp://localhost:25 "Shop <shop\@shop.example>"\nAccountSms "|/bin/true x"\n]
        . "<VirtualHost *:1>\nAccountRealm other\nAccountMail file:mail.jsonl\nAccountSms off\n</VirtualHost>\n" ],
    [ 'one way for two servers', "$mail<VirtualHost *:1>\n$mail</VirtualHost>\n<VirtualHost *:2>\nAccountMail off\n</VirtualHost>\n" ],
    [ 'a code to mobile numbers', sender('is=mobile') . "${sms}AccountMount /later c\n" ],
    [ 'a code to mail addresses', sender('is=email') . "${mail}AccountMount /later c\n" ],
    [ 'a route that is not mounted', sender('is=email') . "AccountMount /later c spare\n" ],
    [ 'an activation that nobody wants', contract(<<'END') . "AccountActivation off\nAccountMount /later c\n" ],
    <AccountRoute r POST /r>
        AccountAction register
        AccountSet then activate
        AccountParam email email
        AccountParam password password
    </AccountRoute>
END
    [ 'a mailed address with its page', "$mailing$page${mail}AccountPublicURL https://shop.example\nAccountMount /later c\nAccountMount /d d\n" ],
    [ 'a mailed address with its page on another server of the realm',
        "$mailing$page${mail}AccountMount /later c\n<VirtualHost *:1>\nAccountPublicURL https://shop.example\nAccountMount /d d\n</VirtualHost>\n" ],
    [ 'a mailed address that leads to the site', "$mailing${mail}AccountLink reset https://shop.example/#/reset\nAccountMount /later c\n" ],
    [ 'limits', "AccountLimit send-target 5/1h 10/1d\nAccountLimit captcha-target off\n<VirtualHost *:1>\nAccountLimit send-target OFF\n</VirtualHost>\n" ],
    [ 'texts and language', "AccountTexts $ROOT/conf/texts\nAccountLanguage zh\n$mail" ],
    [ 'roles', "AccountRoles user boss\nAccountChosenRoles user boss\nAccountAdminRoles boss\n<VirtualHost *:1>\nAccountChosenRoles user\n</VirtualHost>\n" ],
    [ 'roles without an administrator', "AccountRoles user\n" ],
    [ 'the rest', "AccountEnumeration strict\nAccountTimeZone -03:30\nAccountCaptchaFont x.ttf\nAccountDeviceCookie off\n" ],
    [ 'other sites', "AccountPublicURL https://shop.example\nAccountAllowOrigin https://a.example http://[::1]:3000\nAccountAllowOrigin https://b.example/\n"
        . "AccountSameSite NONE\nAccountInspectSecrets on\n<VirtualHost *:1>\nAccountAllowOrigin off\nAccountPublicURL http://plain.example\n"
        . "AccountSameSite strict\n</VirtualHost>\n" ],
    [ 'lookups, one of a virtual host', qq[AccountLookup a,b "SELECT 1, 2"\n<VirtualHost *:1>\nAccountLookup b "SELECT x FROM y WHERE z = %{account.id}"\n</VirtualHost>\n] ],
);
for (@good) {
    my ($name, $text) = @$_;
    my ($status, $said) = configtest("Include \@DIR\@/good.conf\n", files => { 'good.conf' => $text });
    is($status, 0, "right: $name") or diag($said);
}

# and what all of them are held against
my ($status, $said) = configtest("Include \@DIR\@/good.conf\n", files => { 'good.conf' => contract('') . login('') =~ s/c>/d>/r });
is($status, 0, 'what is right passes') or diag($said);
done();
