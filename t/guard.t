# matrix: once
#
# The rules of the source that no compiler checks. Each rule looks at files and says FILE:LINE: what is wrong.
# Before it is believed it must catch counter-examples of its own and let right text pass; a rule whose files
# are not there fails.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Source qw(code plain_code line_at literals declarations signature parameters is_mutable);
use Account::Test;
use File::Find 'find';

my @LAYERS = qw(base store action contract httpd);    # each may include itself and those before it
my %NUMBERS = (base => [ 100, 149 ], store => [ 150, 179 ], action => [ 180, 199 ], httpd => [ 200, 99999 ]);    # of log lines
my $BANNED = qr/\b(?:strcpy|strcat|v?sprintf|gets|strtok|atoi)\b/;

sub layer_of { my ($path) = @_; return $path =~ m{\Amod_account/(\w+)/} ? $1 : 'httpd' }

# --- README and the tables of directives ---

sub command_table {    # name => [line, where by its flags]
    my ($text) = @_;
    $text = code($text, keep => 'strings');
    my %found;
    while ($text =~ /AP_INIT_\w+\(\s*"<?(Account\w+)",([^"]*)"|MISPLACED\("<?(Account\w+)"\)/g) {
        my ($name, $rest) = ($1 // $3, $2 // '');
        my $where = '';
        $where .= 'S' if $rest =~ /\bRSRC_CONF\b/;
        $where .= 'D' if $rest =~ /\b(?:ACCESS_CONF|OR_FILEINFO|OR_AUTHCFG)\b/;
        $where .= 'H' if $rest =~ /\b(?:OR_FILEINFO|OR_AUTHCFG)\b/;
        push @{ $found{$name} }, [ line_at($text, $-[0]), $where ];
    }
    return \%found;
}

sub readme_rows {      # name => [line, where]
    my ($text) = @_;
    my ($number, $inside, %found) = (0, 0);
    for (split /\n/, $text) {
        $number++;
        $inside = /\A## Directives/ if /\A## /;
        next if !$inside || !/\A\| `/;
        my ($names, $where) = /\A\| (.*?) \| (.*?) \|/ or next;
        $where =~ s/\(.*?\)|\s//g;
        push @{ $found{$_} }, [ $number, $where ] for $names =~ /`<?(Account\w+)/g;
    }
    return \%found;
}

sub contract_rows {    # name => [line, 'C', 'R' or 'CR']
    my ($text) = @_;
    $text = code($text, keep => 'strings');
    my %found;
    while ($text =~ /\{"<?(Account\w+)",\s*([01]),\s*([01]),/g) {
        $found{$1} = [ line_at($text, $-[0]), ($2 ? 'C' : '') . ($3 ? 'R' : '') ];
    }
    return \%found;
}

# --- the rules: name, which files, what is wrong with {path => text}, counter-examples [{path => text}, place] ---

my ($CONFIG, $COMPILE) = ('mod_account/httpd/config.c', 'mod_account/contract/compile.c');
my $C = qr{\Amod_account/.*\.[ch]\z};
my @rules;
sub rule { push @rules, {@_} }

# For rules that look at one file at a time.
sub each_file {
    my ($check) = @_;
    return sub { my ($files) = @_; return map { $check->($_, $files->{$_}) } sort keys %$files };
}

rule(
    name  => 'no contract is known to C',
    files => qr{$C|\Aconf/contracts/.*\.conf\z},
    needs => [ $C, qr/\.conf\z/ ],
    check => sub {
        my ($files) = @_;
        my %names = map { map { $_ => 1 } $files->{$_} =~ /^<AccountContract (\w+)>/mg } grep { /\.conf\z/ } keys %$files;
        my $any = join '|', sort keys %names or return '?:0: no <AccountContract> in any file';
        my @found;
        for my $path (grep { /$C/ } sort keys %$files) {
            while ($files->{$path} =~ /(?<![A-Za-z0-9])($any)(?![A-Za-z0-9])/gi) {
                push @found, "$path:" . line_at($files->{$path}, $-[0]) . ": the contract $1";
            }
        }
        return @found;
    },
    bad => [
        [ { 'conf/contracts/shop.conf' => "<AccountContract shop>\n", 'mod_account/base/a.c' => "int a;\nint is_shop;\n" },
            'mod_account/base/a.c:2' ],
        [ { 'conf/contracts/shop.conf' => "<AccountContract shop>\n", 'mod_account/base/a.c' => "/* for shop */\n" },
            'mod_account/base/a.c:1' ],
    ],
    good => { 'conf/contracts/shop.conf' => "<AccountContract shop>\n", 'mod_account/base/a.c' => "int workshops;\n" },
);

rule(
    name  => 'SQL stands in store/, what sets up a connection or a transaction in base/',
    files => $C,
    check => each_file(sub {
        my ($path, $text) = @_;
        my $layer = layer_of($path);
        return if $layer eq 'store';
        my @found;
        for (literals($text)) {
            my ($line, $sql) = @$_;
            push @found, "$path:$line: SQL: $sql"
                if $sql =~ /\bSELECT\s.*\b(?:FROM|WHERE)\b|\bSELECT\s+[\d(]|\b(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\b
                    |\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b|\b(?:CREATE|ALTER|DROP|TRUNCATE)\s+(?:TABLE|INDEX|UNIQUE)/xi
                || $layer ne 'base' && $sql =~ /\A(?:SET\s|PRAGMA\s|BEGIN\b|COMMIT\b|ROLLBACK\b|START\s+TRANSACTION)/;
        }
        return @found;
    }),
    bad => [
        [ { 'mod_account/action/a.c' => qq{f(\n  "SELECT id "\n  "FROM account");\n} }, 'mod_account/action/a.c:2' ],
        [ { 'mod_account/base/a.c' => qq{f("DELETE FROM session");\n} },                 'mod_account/base/a.c:1' ],
        [ { 'mod_account/httpd/a.c' => qq{f("PRAGMA foreign_keys=ON");\n} },             'mod_account/httpd/a.c:1' ],
    ],
    good => {
        'mod_account/store/a.c'  => qq{f("SELECT id FROM account");\n},
        'mod_account/base/a.c'   => qq{f("PRAGMA foreign_keys=ON");\n},
        'mod_account/action/a.c' => qq{/* SELECT id FROM account */ f("DELETE", "select one from these");\n} =~ s/ from/ of/r,
    },
);

rule(
    name  => 'no function that is banned',
    files => qr{\A(?:mod_account|t)/.*\.[ch]\z},
    needs => [$C],
    check => each_file(sub {
        my ($path, $text) = @_;
        my $code = code($text);
        my @found;
        push @found, "$path:" . line_at($code, $-[0]) . ": $1" while $code =~ /($BANNED)\s*\(/g;
        return @found;
    }),
    bad => [ map { [ { 'mod_account/base/a.c' => "void f(void)\n{\n    x = $_(a, b);\n}\n" }, 'mod_account/base/a.c:3' ] }
            qw(strcpy strcat sprintf vsprintf gets strtok atoi) ],
    good => { 'mod_account/base/a.c' => "apr_strtok(a, b, &c); fgets(a, 3, f); /* atoi(x) */ f(\"gets(\"); apr_snprintf(a);\n" },
);

rule(
    name  => 'at most five parameters, but where httpd says how many',
    files => $C,
    check => each_file(sub {
        my ($path, $text) = @_;
        my $code = code($text);
        my @found;
        for (declarations($text)) {
            my ($line, $declaration) = @$_;
            my ($name, $count) = signature($declaration) or next;
            next if $count <= 5;
            next if $path =~ m{\Amod_account/httpd/}
                && $code =~ /\b(?:ap_hook_\w+|ap_register_\w+|APR_OPTIONAL_HOOK|AP_INIT_\w+)\s*\([^;]*\b$name\b/;
            push @found, "$path:$line: $name has $count parameters";
        }
        while ($code =~ /\(\s*\*\s*(?:const\s+)?(\w*)(?:\[\w*\])?\s*\)\s*(\((?:[^()]|(?2))*\))/g) {
            my ($name, $count, $at) = ($1, parameters($2), $-[0]);
            push @found, "$path:" . line_at($code, $at) . ": the callback $name has $count parameters" if $count > 5;
        }
        return @found;
    }),
    bad => [
        [ { 'mod_account/base/a.c' => "\nstatic int f(int a, int b, int c, int d,\n int e, int f)\n{\n}\n" }, 'mod_account/base/a.c:2' ],
        [ { 'mod_account/base/a.h' => "int f(int a, void (*b)(int, int), int c, int d, int e, int f);\n" },    'mod_account/base/a.h:1' ],
        [ { 'mod_account/base/a.h' => "typedef struct {\n int (*f)(int a, int b, int c, int d, int e, int f);\n} x;\n" },
            'mod_account/base/a.h:2' ],
        [ { 'mod_account/httpd/a.c' => "int f(int a, int b, int c, int d, int e, int f)\n{\n}\n" }, 'mod_account/httpd/a.c:1' ],
    ],
    good => {
        'mod_account/base/a.c'  => "int f(int a, int b, void (*c)(int, int), int d, const char *e, ...)\n{\n g(1, 2, 3, 4, 5, 6);\n}\n",
        'mod_account/httpd/a.c' => "static int f(int a, int b, int c, int d, int e, int f)\n{\n}\nvoid g(void)\n{\n"
            . " ap_hook_handler(f, NULL);\n}\n",
    },
);

rule(
    name  => 'no variable of a file or a function outlives a call and can change',
    files => $C,
    check => each_file(sub {
        my ($path, $text) = @_;
        my @found;
        for (declarations($text)) {
            my ($line, $declaration) = @$_;
            next if $declaration =~ /\A(?:typedef|AP_DECLARE_MODULE|APLOG_USE_MODULE|APR_DECLARE_\w+)\b/;
            next if $declaration =~ /\Aextern module AP_MODULE_DECLARE_DATA \w+;\z/ || defined +(signature($declaration))[0];
            next if $declaration =~ /\A(?:struct|union|enum)\s*\w*\s*(?:\{\})?\s*;\z/;
            push @found, "$path:$line: " . ($declaration =~ s/\s*[={;].*//sr) if is_mutable($declaration =~ s/;\z//r);
        }
        my $code = plain_code($text);
        while ($code =~ /^[ \t]+static\s+([^;=]*)[;=]/mg) {
            my ($declaration, $at) = ($1, $-[0]);
            $declaration =~ s/\{.*\}/{}/s;
            push @found, "$path:" . line_at($code, $at) . ": static $declaration" if is_mutable($declaration);
        }
        return @found;
    }),
    bad => [
        map { [ { 'mod_account/base/a.c' => "#include <a.h>\n$_\n" }, 'mod_account/base/a.c:2' ] }
            'static int counter;', 'static int counter = 3;', 'int counter;', 'static const char *name;',
        'static const char *names[] = {"a", "b"};', 'apr_pool_t *pool = NULL;', 'static struct { int a; } x;',
        'static void (*hook)(int a);', 'extern int counter;', "void f(void) {\n}\nstatic int x;" =~ s/\n//gr,
        '    static int calls = 0;', "NUMBER(a, b) static int x;"
    ],
    good => {
        'mod_account/base/a.c' => "static const char *const names[] = {\"a\"};\nstatic const char name[] = \"a\";\n"
            . "typedef struct x_t { int a; } x_t;\nstatic int f(int a);\nstruct y;\nenum { A, B };\nextern const int b;\n"
            . "static void (*const hook)(int a) = f;\nstatic const struct { int a; } t[] = {{1}};\n"
            . "static const char *g(void)\n{\n    static const int a = 1;\n    int b = 2;\n}\n"
            . "#define GET(name) \\\n    static int name(void)\nGET(x)\n{\n}\nNUMBER(a, b)\nNUMBER(c, d)\nstatic int g(void)\n{\n}\n"
            . "AP_DECLARE_MODULE(account) = {1, 2};\nextern module AP_MODULE_DECLARE_DATA account_module;\n",
    },
);

rule(
    name  => 'at most 600 lines in a file',
    # (unit programs are tables of cases: their length says nothing)
    files => qr{\A(?:mod_account|t(?!/unit)|conf|sql)/|\A(?:check|demo|Makefile\.am|configure\.ac)\z},
    needs => [ $C, qr{\At/} ],
    check => each_file(sub {
        my ($path, $text) = @_;
        my $lines = $text =~ tr/\n//;
        return $lines > 600 ? "$path:601: $lines lines" : ();
    }),
    bad  => [ [ { 'mod_account/base/a.c' => "x\n" x 601 }, 'mod_account/base/a.c:601' ] ],
    good => { 'mod_account/base/a.c' => "x\n" x 600 },
);

rule(
    name  => 'at most 100 columns, no tabs, no blanks at the end of a line in C',
    files => qr{\A(?:mod_account|t)/.*\.[ch]\z},
    needs => [$C],
    check => each_file(sub {
        my ($path, $text) = @_;
        utf8::decode($text) or return "$path:1: not UTF-8";
        my ($number, @found) = (0);
        for (split /\n/, $text, -1) {
            $number++;
            push @found, "$path:$number: " . length() . ' columns' if length > 100;
            push @found, "$path:$number: a tab"                    if /\t/;
            push @found, "$path:$number: blanks at the end"        if /\s\z/;
        }
        return @found;
    }),
    bad => [
        [ { 'mod_account/base/a.c' => "\n" . 'x' x 101 . "\n" }, 'mod_account/base/a.c:2' ],
        [ { 'mod_account/base/a.c' => "\tx\n" },                 'mod_account/base/a.c:1' ],
        [ { 'mod_account/base/a.c' => "x \n" },                  'mod_account/base/a.c:1' ],
    ],
    good => { 'mod_account/base/a.c' => 'x' x 98 . "\xe2\x80\xa6\n" },
);

rule(
    name  => "layers include themselves and those below: @LAYERS",
    files => $C,
    check => each_file(sub {
        my ($path, $text) = @_;
        my $layer = layer_of($path);
        my %rank = map { $LAYERS[$_] => $_ } 0 .. $#LAYERS;
        my $code = code($text, keep => 'strings');
        return "$path:1: $layer/ is no layer" if !defined $rank{$layer};
        my @found;
        while ($code =~ /^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)/mg) {
            my ($quote, $name, $at) = ($1, $2, "$path:" . line_at($code, $-[0]) . ':');
            if ($quote eq '"') {
                my ($other) = $name =~ m{\A(\w+)/\w+\.h\z};
                if    (!defined $other || !defined $rank{$other}) { push @found, "$at \"$name\" is not LAYER/NAME.h" }
                elsif ($rank{$other} > $rank{$layer})             { push @found, "$at $layer/ includes $name" }
            }
            elsif ($layer ne 'httpd' && $name =~ m{\A(?:httpd|http_\w+|ap_\w+|util_\w+|mod_\w+|mpm_\w+|scoreboard)\.h\z}) {
                push @found, "$at $layer/ includes httpd's $name";
            }
        }
        return @found;
    }),
    bad => [
        [ { 'mod_account/base/a.c'   => "\n#include \"store/b.h\"\n" },  'mod_account/base/a.c:2' ],
        [ { 'mod_account/action/a.c' => "#include \"contract/b.h\"\n" }, 'mod_account/action/a.c:1' ],
        [ { 'mod_account/store/a.h'  => "#include <http_log.h>\n" },     'mod_account/store/a.h:1' ],
        [ { 'mod_account/store/a.h'  => "#include \"rows.h\"\n" },       'mod_account/store/a.h:1' ],
        [ { 'mod_account/other/a.h'  => "\n" },                          'mod_account/other/a.h:1' ],
    ],
    good => {
        'mod_account/action/a.c'    => "#include <apr_pools.h>\n#include \"action/b.h\"\n#include \"base/b.h\"\n#include \"store/b.h\"\n",
        'mod_account/mod_account.c' => "#include <httpd.h>\n#include \"httpd/glue.h\"\n",
    },
);

rule(
    name  => 'a public function has a comment in its header',
    files => qr{\Amod_account/.*\.h\z},
    check => each_file(sub {
        my ($path, $text) = @_;
        my @lines    = split /\n/, $text;
        my @comments = split /\n/, code($text, keep => 'comments');
        my (@found, %begin);    # last line of a declaration => its first
        for (declarations($text)) {
            my ($line, $declaration, $last) = @$_;
            $begin{$last} = $line;
            my ($name) = signature($declaration) or next;
            next if grep { ($comments[ $_ - 1 ] // '') =~ /\0/ } $line .. $last;
            my $above = $line - 1;    # functions and types that stand together may share the comment above them
            until ($above < 1 || $lines[ $above - 1 ] !~ /\S/ || ($comments[ $above - 1 ] // '') =~ /\0/ && !$begin{$above}) {
                $above = ($begin{$above} // $above) - 1;
            }
            push @found, "$path:$line: $name" if $above < 1 || $lines[ $above - 1 ] !~ /\S/;
        }
        return @found;
    }),
    bad => [
        [ { 'mod_account/base/a.h' => "/* not this one */\n\nint f(void);\n" },                             'mod_account/base/a.h:3' ],
        [ { 'mod_account/base/a.h' => "struct x {\n    int a; /* this */\n};\nint f(int a,\n      int b);\n" }, 'mod_account/base/a.h:4' ],
    ],
    good => {
        'mod_account/base/a.h' => "#ifndef A\n#define A\n\n/* This one,\n * on two lines. */\nint f(void);\n\n/* Both. */\n"
            . "int g(int a,\n      int b);\nint h(void);\n\n/* A type and what is done with it. */\nstruct y {\n    int a;\n};\n"
            . "int j(void);\n\nint i(void); /* and i */\n\ntypedef int (*fn)(int);\n\n#endif\n",
    },
);

rule(
    name  => 'log numbers are used once, and in their range',
    files => $C,
    check => sub {
        my ($files) = @_;
        my (%seen, @found);
        for my $path (sort keys %$files) {
            my $code = code($files->{$path}, keep => 'strings');
            $code =~ s{^#define ACLOGNO.*}{}m;
            while ($code =~ /\b(A[CP]LOGNO)\s*\(\s*(\w*)\s*\)/g) {
                my ($macro, $number, $at) = ($1, $2, "$path:" . line_at($code, $-[0]));
                my $range = $NUMBERS{ layer_of($path) };
                if    ($macro eq 'APLOGNO')        { push @found, "$at: APLOGNO numbers are httpd's own" }
                elsif ($number !~ /\A\d{5}\z/)     { push @found, "$at: '$number' has not five digits" }
                elsif ($seen{$number})             { push @found, "$at: $number is used at $seen{$number} already" }
                elsif (!$range)                    { push @found, "$at: $number: this layer logs nothing" }
                elsif ($number < $range->[0] || $number > $range->[1]) { push @found, "$at: $number is out of the range @$range" }
                $seen{$number} //= $at;
            }
            for (literals($code)) {
                my ($line, $literal) = @$_;
                push @found, "$path:$line: a number without ACLOGNO" if $literal =~ /\bAC\d{5}\b/;
            }
        }
        return keys %seen ? @found : (@found, '?:0: no ACLOGNO at all');
    },
    bad => [
        [ { 'mod_account/base/a.c' => "f(ACLOGNO(00100) \"a\");\nf(ACLOGNO(00100) \"b\");\n" },           'mod_account/base/a.c:2' ],
        [ { 'mod_account/base/a.c' => "f(ACLOGNO(00150) \"a\");\n" },                                     'mod_account/base/a.c:1' ],
        [ { 'mod_account/httpd/a.c' => "f(\nACLOGNO(\n00199) \"a\");\n" },                                'mod_account/httpd/a.c:2' ],
        [ { 'mod_account/httpd/a.c' => "f(ACLOGNO(0200) \"a\");\n" },                                     'mod_account/httpd/a.c:1' ],
        [ { 'mod_account/httpd/a.c' => "f(ACLOGNO(00200) \"a\");\nf(APLOGNO(02811) \"a\");\n" },          'mod_account/httpd/a.c:2' ],
        [ { 'mod_account/httpd/a.c' => "f(ACLOGNO(00200) \"a\");\nf(\"AC00201: a\");\n" },                'mod_account/httpd/a.c:2' ],
        [ { 'mod_account/action/a.c' => "f(ACLOGNO(00200) \"a\");\n" },                                   'mod_account/action/a.c:1' ],
    ],
    good => {
        'mod_account/base/log.h' => "#define ACLOGNO(number) \"AC\" #number \": \"\n/* ACLOGNO(nnnnn) */\n",
        'mod_account/base/a.c'   => "f(ACLOGNO(00149) \"a\");\n", 'mod_account/httpd/a.c' => "f(ACLOGNO(00200) \"a\");\n",
    },
);

my %right = (    # files in which the directives agree
    $CONFIG  => qq|c[] = {\n AP_INIT_TAKE1("AccountRealm", f, NULL, RSRC_CONF,\n "x"),\n AP_INIT_TAKE1("AccountIdle", f, NULL, RSRC_CONF, "x"),\n|
        . qq|AP_INIT_RAW_ARGS("<AccountContract", f, NULL, RSRC_CONF, "x"),\n MISPLACED("AccountReply"),\n|
        . qq|AP_INIT_FLAG("AccountQuery", f, NULL, ACCESS_CONF \| OR_FILEINFO, "x"),\n {NULL}};\n|,
    $COMPILE => qq|d[] = {\n {"AccountIdle", 1, 0, 1},\n {"AccountReply", 1, 1, 3}};\n|,
    'README.md' => "## Directives\n\n| `AccountRealm NAME` | S | | x |\n| `AccountIdle D` | S C | | x |\n| `<AccountContract NAME>` | S (main) | | x |\n"
        . "| `AccountReply` | C R | | x |\n| `AccountQuery` | D H | | x |\n",
);
sub wrong {      # the same with one file changed
    my ($path, $from, $to) = @_;
    my %files = %right;
    $files{$path} =~ s/\Q$from\E/$to/ or die "nothing to change in $path: $from";
    return \%files;
}

rule(
    name  => "README's directives are those of the command table and of the contract compiler, and stand where they may",
    files => qr{\A(?:\Q$CONFIG\E|\Q$COMPILE\E|README\.md|mod_account/README\.md|conf/.*\.conf|demo|CHANGES)\z},
    needs => [ qr{\A\Q$CONFIG\E\z}, qr{\A\Q$COMPILE\E\z}, qr{\AREADME\.md\z} ],
    check => sub {
        my ($files) = @_;
        my ($table, $rows, $inside) =
            (command_table($files->{$CONFIG}), readme_rows($files->{'README.md'}), contract_rows($files->{$COMPILE}));
        my @found;
        for ([ $CONFIG, $table ], [ 'README.md', $rows ], [ $COMPILE, $inside ]) {
            push @found, "$_->[0]:0: no directive found" if !%{ $_->[1] };
        }
        for my $name (sort keys %$table) {
            my ($first, @more) = @{ $table->{$name} };
            push @found, "$CONFIG:$_->[0]: $name stands twice" for @more;
            push @found, "$CONFIG:$first->[0]: $name has no row in README.md" if !$rows->{$name};
        }
        for my $name (sort keys %$rows) {
            my ($first, @more) = @{ $rows->{$name} };
            my ($line, $where) = @$first;
            push @found, "README.md:$_->[0]: $name has two rows" for @more;
            push @found, "README.md:$line: there is no $name" and next if !$table->{$name};
            my $flags = $table->{$name}[0][1];
            (my $outside = $where) =~ s/[CRL]//g;
            push @found, "README.md:$line: $name may stand in '$flags', the row says '$outside'" if $outside ne $flags;
            (my $here = $where) =~ s/[^CR]//g;
            my $really = $inside->{$name} ? $inside->{$name}[1] : '';
            push @found, "README.md:$line: $name may stand in a contract's '$really', the row says '$here'" if $here ne $really;
        }
        for my $name (sort keys %$inside) {
            push @found, "$COMPILE:$inside->{$name}[0]: $name is not in the command table" if !$table->{$name};
        }
        for my $path (grep { !/\.c\z/ } sort keys %$files) {
            my $number = 0;
            for my $line (split /\n/, $files->{$path}) {
                $number++;
                for ($line =~ /\b(Account[A-Z][A-Za-z]+)\b(?!::)/g) {
                    push @found, "$path:$number: there is no $_" if !$table->{$_};
                }
            }
        }
        return @found;
    },
    bad => [
        [ wrong('README.md', '| `AccountRealm NAME` | S | | x |', ''), "$CONFIG:2" ],
        [ wrong('README.md', 'AccountRealm', 'AccountRelm'), 'README.md:3' ],
        [ wrong('README.md', '| S |', '| S H |'), 'README.md:3' ],
        [ wrong('README.md', '| S C |', '| S |'), 'README.md:4' ],
        [ wrong('README.md', '| C R |', '| R |'), 'README.md:6' ],
        [ wrong('README.md', 'D H', 'D'), 'README.md:7' ],
        [ wrong('README.md', "| D H | | x |\n", "| D H | | x |\nSee `AccountGone`.\n"), 'README.md:8' ],
        [ wrong($CONFIG, 'MISPLACED("AccountReply")', ''), "$COMPILE:3" ],
        [ wrong($CONFIG, 'MISPLACED("AccountReply")', 'MISPLACED("AccountReply"), MISPLACED("AccountReply")'), "$CONFIG:6" ],
        [ { %right, 'conf/account.conf' => "\n#AccountGone x\n" }, 'conf/account.conf:2' ],
    ],
    good => \%right,
);

rule(
    name  => 'what make builds, installs and ships is all there is',
    files => qr{\A(?:Makefile\.am|mod_account/.*\.[ch]|(?:conf|sql)/.*\.(?:conf|sql)|t/unit/.*\.[ch])\z},
    needs => [ qr{\AMakefile\.am\z}, $C, qr{\Asql/}, qr{\Aconf/contracts/}, qr{\At/unit/} ],
    check => sub {
        my ($files) = @_;
        my $makefile = $files->{'Makefile.am'} // '';
        my @found;
        for my $path (grep { !m{\A(?:Makefile\.am|mod_account/store/schema_sql\.c)\z} } sort keys %$files) {
            my ($named) = $path =~ m{\A(conf/demo)/} ? $1 : $path;    # a folder as a whole
            push @found, "$path:1: Makefile.am does not name $named" if $makefile !~ m{(?<![\w/.-])\Q$named\E(?![\w./-])};
        }
        return @found;
    },
    bad  => [
        [ { 'Makefile.am' => 'x = conf/contracts/a.conf', 'conf/contracts/b.conf' => '' }, 'conf/contracts/b.conf:1' ],
        [ { 'Makefile.am' => 'x = demo conf/contracts/a.conf', 'conf/demo/httpd.conf' => '' }, 'conf/demo/httpd.conf:1' ],
    ],
    good => { 'Makefile.am' => "x = conf/contracts/a.conf mod_account/base/a.c", 'conf/contracts/a.conf' => '', 'mod_account/base/a.c' => '' },
);

# --- the rules are proven, then applied ---

my %tree;
find({ no_chdir => 1, wanted => sub {
    my $path = $File::Find::name =~ s{\A\Q$ROOT\E/}{}r;
    $tree{$path} = slurp($File::Find::name) if -f && $path =~ m{\.(?:[ch]|t|pm|awk|conf|sql|md|case|html)\z|\At/lib/supervise\z};
} }, map { "$ROOT/$_" } qw(mod_account t conf sql));
$tree{$_} = slurp("$ROOT/$_") for grep { -f "$ROOT/$_" } qw(Makefile.am configure.ac check demo README.md CHANGES);

for my $rule (@rules) {
    my ($name, $check) = @$rule{qw(name check)};
    my $number = 0;
    for my $case (@{ $rule->{bad} }) {
        my ($files, $place) = @$case;
        $number++;
        my @said = $check->($files);
        ok((grep { index("$_:", "$place:") == 0 } @said), "$name: counter-example $number is caught at $place")
            or diag("it said:\n@said");
    }
    my @said = $check->($rule->{good});
    ok(!@said, "$name: what is right passes") or diag(join "\n", @said);

    my %files = map { $_ => $tree{$_} } grep { $_ =~ $rule->{files} } keys %tree;
    my @missing = grep { my $need = $_; !grep { $_ =~ $need } keys %files } @{ $rule->{needs} || [ $rule->{files} ] };
    ok(!@missing, "$name: there are files to look at") or diag("nothing matches @missing");
    my @wrong = @missing ? () : $check->(\%files);
    ok(!@missing && !@wrong, $name) or diag(join "\n", map { utf8::decode(my $text = $_); $text } @wrong);
}

# --- the configuration that ships ---

my $keys = temp_dir('guard');
spew("$keys/account.key", 'c2VjcmV0' x 6 . "\n", 0600);
my $module = $ENV{ACCOUNT_MODULE} || "$ROOT/.libs/mod_account.so";
is join(' ', map { (split)[2] } grep { / [A-TVX-Z] / } `nm -D --defined-only $module`), 'account_module',
    'the module exports its record and nothing else';
sub here {       # its paths are an installation's
    my ($text) = @_;
    $text =~ s{^(LoadModule account_module) \S+}{$1 $module}m or return;
    $text =~ s{^(AccountSecretFile) \S+}{$1 $keys/account.key}m or return;
    $text =~ s{^(AccountDatabase sqlite3) \S+}{$1 $keys/account.db}m or return;
    spew("$keys/header.key", 'aGVhZGVy' x 6 . "\n", 0600);
    $text =~ s{^(#AccountHeaderKey) \S+}{$1 $keys/header.key}m or return;
    $text =~ s{^(#AccountAuditLog) \S+}{$1 $keys/audit.log}m or return;
    $text =~ s{^(#AccountSms \S+) \S+/sms\.json}{$1 $ROOT/conf/sms.json}m or return;
    $text =~ s{^(Include) \S+/contracts/\*\.conf}{$1 $ROOT/conf/contracts/*.conf}m or return;
    return "$text\nAccountTexts $ROOT/conf/texts\n";
}
my $sample = here($tree{'conf/account.conf'} // '');
ok(defined $sample, 'conf/account.conf has the lines whose paths are replaced');
my ($status, $said) = configtest($sample // '', account => 0);
is($status, 0, 'conf/account.conf passes configtest') or diag($said);
my @optional = ($sample // '') =~ /^#(Account\w+ .*)/mg;
ok(@optional > 0, 'conf/account.conf shows directives that are commented out');
for my $line (@optional) {
    my ($name) = $line =~ /(\w+)/;
    my $text = $sample =~ s/^\Q$name\E .*\n//mgr;
    $text =~ s/^#\Q$line\E/$line/m;
    ($status, $said) = configtest($text, account => 0);
    is($status, 0, "conf/account.conf with its $name passes configtest") or diag($said);
}
($status, $said) = configtest(($sample // '') =~ s/^AccountMount \/user/AccountMont \/user/mr, account => 0);
isnt($status, 0, 'conf/account.conf with a mistake does not pass');

my $sending = join "\n", 'AccountMail file:@DIR@/mail.jsonl', 'AccountSms file:@DIR@/sms.jsonl',
    map({ "AccountLink $_ https://shop.example/$_" } qw(activate reset)), '';    # as much as a contract can need
my @contracts = grep { m{\Aconf/contracts/.*\.conf\z} } sort keys %tree;
ok(@contracts > 0, 'there are contracts');
for my $path (@contracts) {
    my ($mount) = $tree{$path} =~ /\A# .*\b(AccountMount \S+ \w+)$/m;
    ok(defined $mount, "$path: its first line says how to mount it");
    ($status, $said) = configtest("Include $ROOT/$path\n" . ($mount // '') . "\n$sending", contracts => 0);
    is($status, 0, "$path passes configtest, mounted") or diag($said);
}
done();
