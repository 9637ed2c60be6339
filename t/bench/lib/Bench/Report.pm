# The results as a page: the machine, the table of what was to be reached, and what was measured.
package Bench::Report;
use strict;
use warnings;
use Account::Process qw($ROOT slurp);
use Account::Server;
use Bench::Checks;
use Bench::Measure qw(cores spread);
use POSIX 'strftime';
use Time::HiRes 'time';

sub first { my ($text, $pattern) = @_; return $text =~ $pattern ? $1 : '?' }

sub machine {
    my ($kernel) = (POSIX::uname())[2];
    my $httpd = Account::Server::httpd();
    my $system = slurp('/etc/os-release');
    return [
        sprintf('%s, %s: %d cores, %.0f GiB of memory, Linux %s', first($system, qr/PRETTY_NAME="([^"]*)"/),
            first(slurp('/proc/cpuinfo'), qr/^model name\s*:\s*(.*)$/m), cores(), first(slurp('/proc/meminfo'), qr/MemTotal:\s*(\d+)/) / 1048576, $kernel),
        sprintf('httpd %s (event), MariaDB %s, SQLite %s, OpenSSL %s, wrk %s', first(scalar(`$httpd -v`), qr{Apache/(\S+)}),
            first(scalar(`mariadbd --version 2>/dev/null`), qr/Ver (\S+)/), first(`sqlite3 --version`, qr/^(\S+)/), first(`openssl version`, qr/OpenSSL (\S+)/),
            first(scalar(`wrk -v 2>&1`), qr/wrk (?:debian\/)?(\S+)/)),
        sprintf('mod_account %s, load average before: %s', $ENV{BENCH_COMMIT} || '?', first(slurp('/proc/loadavg'), qr/^(\S+ \S+ \S+)/)),
    ];
}

# [what, figure, got (text), reached: 1, 0, or undef: not measured]
sub at_least { my ($what, $figure, $got) = @_; return [ $what, sprintf('≥ %.2f', $figure), defined $got ? sprintf('%.2f', $got) : undef, $got && $got >= $figure ] }
sub at_most {
    my ($what, $figure, $got, $unit) = @_;
    my ($format, $tail) = ($figure < 0.1 ? '%.4f' : $figure < 10 ? '%.2f' : '%.0f', $unit ? " $unit" : '');
    return [ $what, sprintf("≤ %s$tail", $figure), defined $got ? sprintf("$format$tail", $got) : undef, defined $got && $got <= $figure ];
}

my @PEERS = qw(form_cookie form_dbd django better_auth wordpress);

sub figures {
    my ($r) = @_;
    my $checks = $r->{checks};
    my $ratio = sub { $checks ? Bench::Checks::ratio($checks, @_) : undef };
    my ($best) = sort { $checks->{of}{$b}{rate} <=> $checks->{of}{$a}{rate} } grep { $checks && $checks->{of}{$_}{rate} } @PEERS;
    my $hosts = $r->{hosts} && $r->{hosts}{hosts};
    my $storm = $r->{storm};
    my $more = sub { my ($what) = @_; return $storm ? ($storm->{$what} - $storm->{idle}) / 1024 : undef };
    my $slower = sub { my ($what) = @_; return $storm ? $storm->{storm}{$what}{p99} / ($storm->{quiet}{$what}{p99} || 1) : undef };
    my $clients = $storm ? $storm->{clients} : 500;
    return (
        at_least('logged-in check, cache warm, against the null handler',        0.90, $ratio->('cached', 'null')),
        at_least('the same against the static file',                             1.00, $ratio->('cached', 'static')),
        at_most('SQL statements for each check in steady state',                 0.01, $checks && $checks->{statements}),
        at_least('check, cache off, SQLite, against the null handler',           0.70, $ratio->('sqlite', 'null')),
        at_least('check, cache off, MariaDB, against the null handler',          0.40, $ratio->('mysql', 'null')),
        at_least('static file behind Require account against the open file',     0.90, $ratio->('guarded', 'open')),
        at_least('logins a second against argon2id alone',                       0.95, $r->{logins} && $r->{logins}{ratio}),
        at_most("$clients clients that log in: memory of all children over idle, at the peak", cores() * 20 + 16, $more->('peak'), 'MiB'),
        at_most('the same, afterwards',                                          8,    $more->('after'), 'MiB'),
        at_most('a static file meanwhile: p99 against quiet',                    2,    $slower->('static')),
        at_most('a session check meanwhile: p99 against quiet',                  3,    $slower->('check')),
        (map { my ($db, $what) = @$_;
            at_most("$what at $r->{size}{many} accounts against $r->{size}{few}, $db (p50)", 1.2, $r->{accounts} && $r->{accounts}{$db} && $r->{accounts}{$db}{$what}{ratio}) }
            map { my $db = $_; map { [ $db, $_ ] } qw(check login register) } qw(sqlite3 mysql)),
        at_most(($hosts || $r->{size}{hosts}) . ' virtual hosts with five contracts each: start, more than without', 3, $hosts && $r->{hosts}{more}, 's'),
        at_most('the same: memory for each host',                                20,   $hosts && $r->{hosts}{each}, 'KiB'),
        at_least('check against the fastest other that looks a session up' . ($best ? " ($checks->{of}{$best}{name})" : ''), 2.00, $best && $ratio->('cached', $best)),
    );
}

sub table {
    my ($heads, @rows) = @_;
    return join '', map { '| ' . join(' | ', map { $_ // '' } @$_) . " |\n" } $heads, [ map { $_ =~ /^[a-z].*\d?$/ && $_ eq $heads->[0] ? '---' : '---:' } @$heads ], @rows;
}

sub thousands { my ($n) = @_; $n = sprintf '%.0f', $n; 1 while $n =~ s/^(\d+)(\d{3})/$1 $2/; return $n }
sub ms { return sprintf '%.2f', $_[0] / 1000 }

sub checks_text {
    my ($r) = @_;
    my $checks = $r->{checks} or return '';
    my @rows;
    for my $key (@{ $checks->{order} }) {
        my $one = $checks->{of}{$key};
        push @rows, $one->{missing} ? [ $one->{name}, 'not measured: ' . substr($one->{missing} =~ s/\s+/ /gr =~ s/\|/ /gr, 0, 200) ]
            : [ $one->{name}, thousands($one->{rate}), sprintf('± %.1f %%', $one->{spread}), map({ my $ratio = Bench::Checks::ratio($checks, $key, $_); defined $ratio ? sprintf '%.2f', $ratio : '' } qw(null static)),
                ms($one->{p50}), ms($one->{p99}), $one->{bytes}, $one->{note} ];
    }
    return "## Session checks\n\n$r->{size}{rounds} rounds of $r->{size}{seconds} s each, 16 kept connections, one thread of wrk beside the server on the same cores. Medians; "
        . "half of the rounds lie within ±; ratios are taken round by round.\n\n"
        . table([ 'what', 'a second', 'spread', 'of null', 'of static', 'p50 ms', 'p99 ms', 'bytes', 'what it is' ], @rows) . <<'END';

All httpds have Debian's numbers of threads and an access log; the others write none. What belongs to a check:
mod_account finds the session and its account (in its cache, or with one SELECT); better-auth and Django each look into
MariaDB, over connections they keep, with a process a core; WordPress proves its cookie and the nonce, with opcache;
mod_auth_form has user name and password in its session and proves them again for each request (apr1-MD5, the form's
default), and mod_session_crypto derives its key for each request, by design.
END
}

sub text {
    my ($r) = @_;
    my @figures = figures($r);
    my ($reached, $missed) = (scalar(grep { defined $_->[2] && $_->[3] } @figures), scalar grep { defined $_->[2] && !$_->[3] } @figures);
    my $text = "# How fast it is\n\nWritten by `t/bench/run`" . ($r->{quick} ? ' --quick' : '') . ', ' . strftime('%Y-%m-%d %H:%M UTC', gmtime $r->{begun}) . ".\n\n"
        . join('', map { "- $_\n" } @{ $r->{machine} }) . "\n## What was to be reached\n\n"
        . table([ 'what', 'figure', 'measured', '' ], map { [ @$_[ 0 .. 1 ], $_->[2] // 'not measured', !defined $_->[2] ? '' : $_->[3] ? 'reached' : '**not reached**' ] } @figures)
        . "\n$reached reached, $missed not.\n\n" . checks_text($r);
    if (my $i = $r->{instructions}) {
        my $null = $i->{'null handler'};
        $text .= "\n## Instructions\n\nOf one request, by callgrind: its reading, answering and logging in a prefork child. They do not drift; what the kernel does is not in them.\n\n"
            . table([ 'what', 'instructions', 'of the null handler' ], map { [ $_, thousands($i->{$_}), sprintf '%.2f', $i->{$_} / $null ] } sort { $i->{$a} <=> $i->{$b} } keys %$i);
    }
    if (my $l = $r->{logins}) {
        $text .= "\n## Logins\n\nargon2id m=19456 t=2 p=1 alone, a thread a core, is faster where each thread keeps its memory than where it gives it back after each hash, as mod_account does; "
            . "logins are whole ones, through httpd and SQLite.\n\n"
            . table([ 'what', 'a second', 'logins to it' ], [ 'argon2id alone, memory kept', sprintf('%.1f', $l->{keep}), sprintf '%.2f', $l->{ratio} ],
                [ 'argon2id alone, memory given back', sprintf('%.1f', $l->{back}), sprintf '%.2f', $l->{back_ratio} ], [ 'logins', sprintf('%.1f', $l->{logins}), '' ]);
    }
    if (my $s = $r->{storm}) {
        $text .= sprintf("\n%d clients at once for %d s, each again as soon as it is in: %d logins, %d told to wait (503 with Retry-After), %d failed; half are in within %s ms, 99 of 100 within %s ms.\n\n",
            $s->{clients}, $s->{seconds} + 4, @{ $s->{crowd} }{qw(done refused failed)}, map { thousands($_ / 1000) } @{ $s->{crowd} }{qw(p50 p99)})
            . "What others feel who ask $s->{pace} times a second; counting: beside a process a core that only counts, at the priority that hashes have (nice 19).\n\n"
            . table([ 'what others feel', map { ("$_: p50 ms", 'p99 ms') } qw(quiet counting storm) ], map { my $what = $_; [ $what, map { ms($s->{$_}{$what}{p50}), ms($s->{$_}{$what}{p99}) } qw(quiet counting storm) ] } qw(static check))
            . "\nMemory of all children (PSS); the same crowd before a httpd without mod_account, whose handler only answers:\n\n"
            . table([ 'memory', 'idle MiB', 'at the peak', "$s->{wait} s after", 'children' ], map { my ($what, $m) = @$_; [ $what, map({ sprintf '%.1f', $m->{$_} / 1024 } qw(idle peak after)), join ', ', @{ $m->{children} }{qw(idle peak after)} ] }
                [ 'mod_account', $s ], [ 'without it', $s->{plain} ]);
    }
    if (my $a = $r->{accounts}) {
        $text .= "\n## Many accounts\n\nEach with a session; 10 000 of them, by chance, are asked for one after the other. The hash is a cheap one (m=64 t=1), so that the database is compared.\n\n"
            . table([ 'what', "p50 ms at $r->{size}{few}", "p50 ms at $r->{size}{many}", 'ratio' ],
                map { my $db = $_; map { [ "$_, $db", ms($a->{$db}{$_}{few}), ms($a->{$db}{$_}{many}), sprintf '%.2f', $a->{$db}{$_}{ratio} ] } qw(check login register) } sort keys %$a);
    }
    if (my $h = $r->{hosts}) {
        $text .= "\n## Many hosts\n\n$h->{hosts} virtual hosts, without contracts and with five each; memory is that of all processes.\n\n"
            . table([ 'what', 'start s', 'MiB' ], map { [ $_, sprintf('%.2f', $h->{$_}{seconds}), sprintf '%.1f', $h->{$_}{kib} / 1024 ] } qw(bare mounted));
    }
    $text .= "\n## Not measured\n\n" . join('', map { "- $_: " . substr($r->{failed}{$_} =~ s/\s+/ /gr, 0, 300) . "\n" } sort keys %{ $r->{failed} }) if $r->{failed};
    $text .= "\n" . slurp("$ROOT/t/bench/why.md") if !$r->{quick};
    return $text . sprintf "\nAll of it took %.0f minutes.\n", (time - $r->{begun}) / 60;
}

1;
