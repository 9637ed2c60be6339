# matrix: all
#
# Contracts as their clients see them: t/contracts/CONTRACT/*.case, each file a conversation with a server
# that has the contract mounted where the first line of its .conf says, in a realm and virtual host of the
# file's own. ACCOUNT_CASES='t/contracts/mmall/login.case' runs only what matches.
#
#   == a name                  a step: requests and the reply that each of them must get
#   > POST /user/login.do username=geely&password={pw}          method, path, body (the rest of the line)
#   > Origin: {origin}         a header of the request above; without a value: that header is not sent
#   < 403                      the reply: its status (200 unless given),
#   < Allow: GET, POST         a header that it must have (* stands for anything), or
#   < !Allow                   must not have,
#   < {"status":1,"msg":"…"}   and its body, byte for byte; * is any body; without this line there must be none
#
# What is not said: a body has the Content-Type of JSON if it begins with { or [, else of a form; what is
# not ASCII in a path or form is sent as %XX; \xHH is a byte, {70000*a} 70000 times an a; the Host is {host}.
#
#   {id} {ms} {uuid} {session} {text}   in a reply: what looks like that
#   {t=uuid}                     the same, kept as {t}
#   {t}                          in a request or reply: what was kept, the secret of that name, or {host},
#                                {origin} (http://{host}, the AccountPublicURL)
#   @let NAME TEXT               {NAME} is TEXT from here on
#   @secret NAME VALUE           the same, and no log may hold it (nor any uuid or session that was kept;
#                                {t=text} is for one that is sent where logs may hold it)
#   @jar NAME                    another browser from here on; "-" keeps no cookies
#   @config DIRECTIVE            one more line in the virtual host
#   @file PATH TEXT              a static file below its DocumentRoot
#
# Cookies are kept as a browser does. "< Set-Cookie: NAME=VALUE" compares name and value, an empty value is
# one that the reply deletes, "< Set-Cookie: *" allows any. A reply that sets a cookie without such a line fails.
# Each reply with a JSON body is also held to its Content-Type, Cache-Control and, strictly, to being JSON.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

my %pattern = (
    id      => '[1-9][0-9]{0,15}',
    ms      => '[12][0-9]{12}',
    uuid    => '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
    session => '[A-Za-z0-9_-]{22,64}',
    text    => '[A-Za-z0-9_-]+',
);
my %is_secret = (uuid => 1, session => 1);
my $header = qr/([A-Za-z][A-Za-z0-9-]*):(?: (.*))?\z/;

# Everything here is bytes; Test::More's handles are told so, for names and diagnostics.
binmode Test::More->builder->$_, ':raw' for qw(output failure_output todo_output);

sub bytes { my ($text) = @_; utf8::encode($text) if utf8::is_utf8($text); return $text }

# --- the files ---

sub read_case {
    my ($file) = @_;
    my ($contract, $name) = $file =~ m{([^/]+)/([^/]+)\.case\z} or die "$file: not CONTRACT/NAME.case\n";
    my %case = (file => $file, name => "$contract/$name", realm => "$contract.$name", contract => $contract,
        config => [], files => {}, secrets => {}, steps => []);
    ($case{host} = "$name.$contract.test") =~ tr/_/-/;
    my (%text, $step, $exchange, $request);
    my $jar = 'browser';
    my $number = 0;
    for (split /\n/, bytes(slurp($file))) {
        $number++;
        my $wrong = sub { die "$file:$number: $_[0]\n" };
        next if /\A\s*(?:#|\z)/;
        s/\{([a-z_0-9]+)\}/$text{$1} \/\/ "{$1}"/ge;
        if (/\A== (.+)/) {
            push @{ $case{steps} }, $step = { name => $1, exchanges => [] };
            $exchange = undef;
        }
        elsif (/\A\@(let|secret) ([a-z_0-9]+) +(.+)/) {
            $1 eq 'let' ? ($text{$2} = $3) : ($case{secrets}{$2} = $3);
        }
        elsif (/\A\@jar (\S+)\z/)       { $jar = $1 }
        elsif (/\A\@config (.+)/)       { push @{ $case{config} }, $1 }
        elsif (/\A\@file (\S+) (.+)/)   { $case{files}{$1} = "$2\n" }
        elsif (/\A> ([A-Z]+) (\S+)(?: (.+))?\z/) {
            $step or $wrong->('a request before the first "== name"');
            push @{ $step->{exchanges} }, $exchange = { requests => [], headers => [], absent => [] }
                if !$exchange || exists $exchange->{line};
            push @{ $exchange->{requests} },
                $request = { method => $1, path => $2, body => $3, headers => [], jar => $jar, line => $number };
        }
        elsif (/\A> $header/) { push @{ ($request || $wrong->('no request yet'))->{headers} }, [ $1, $2 ] }
        elsif (/\A< (.+)/) {
            my $what = $1;
            $exchange or $wrong->('a reply without a request');
            $exchange->{line} //= $number;
            if    ($what =~ /\A\d{3}\z/)        { $exchange->{status} = $what }
            elsif ($what =~ /\A!([A-Za-z-]+)\z/) { push @{ $exchange->{absent} }, $1 }
            elsif ($what =~ /\A$header/)        { push @{ $exchange->{headers} }, [ $1, $2 // '' ] }
            elsif (defined $exchange->{body})   { $wrong->('a second body') }
            else                                { $exchange->{body} = $what }
        }
        else { $wrong->("not understood: $_") }
    }
    return \%case;
}

# A contract's file, and "AccountMount PATH NAME" as its first line says.
sub contract_file {
    my ($contract) = @_;
    my ($file) = grep { -r } map { "$ROOT/$_/$contract.conf" } qw(conf/contracts t/drafts);
    $file or die "no contract $contract\n";
    slurp($file) =~ /\A#[^\n]*(AccountMount \S+ \Q$contract\E)\b/ or die "$file: its first line does not say AccountMount\n";
    return ($file, $1);
}

# --- one request and its reply ---

# What a case says of a request, as bytes for the wire.
sub wire {
    my ($text, $known, $escape) = @_;
    $text =~ s/\{([a-z_0-9]+)\}/$known->{$1} \/\/ die "{$1} was never kept\n"/ge;
    $text =~ s/([^\x00-\x7F])/sprintf '%%%02X', ord $1/ge if $escape;
    $text =~ s/\\x([0-9A-Fa-f]{2})/chr hex $1/ge;
    $text =~ s/\{(\d+)\*(.)\}/$2 x $1/ge;
    return $text;
}

# What a case says of a reply, as a regular expression; names that it keeps are appended to @$kept.
sub expression {
    my ($text, $known, $kept, $star) = @_;
    my $out = '';
    $text =~ s/\\x([0-9A-Fa-f]{2})/chr hex $1/ge;
    for (split /(\{[a-z_0-9]+(?:=[a-z]+)?\}|\*)/, $text) {
        if ($_ eq '*' && $star) { $out .= '.*' }
        elsif (/\A\{([a-z_0-9]+)=([a-z]+)\}\z/) {
            push @$kept, [ $1, $2 ];
            $out .= '(' . ($pattern{$2} // die "no pattern {$2}\n") . ')';
        }
        elsif (/\A\{([a-z_0-9]+)\}\z/) {
            $out .= defined $known->{$1} ? quotemeta $known->{$1} : $pattern{$1} // die "{$1} was never kept\n";
        }
        else { $out .= quotemeta }
    }
    return qr/\A$out\z/s;
}

# Whether the text is as the case says; keeps what it is asked to.
sub compare {
    my ($got, $wanted, $known, $star) = @_;
    my @kept;
    my $expression = expression($wanted, $known, \@kept, $star);
    my @found = $got =~ $expression or return 0;
    for my $i (0 .. $#kept) {
        my ($name, $kind) = @{ $kept[$i] };
        $known->{$name} = $is_secret{$kind} ? canary($found[$i]) : $found[$i];
    }
    return 1;
}

sub cookie_problems {
    my ($reply, $wanted, $known) = @_;
    my @wanted = map { $_->[1] } grep { lc $_->[0] eq 'set-cookie' } @$wanted;
    my (@problems, %seen);
    for (@{ $reply->{headers}{'set-cookie'} || [] }) {
        my ($name, $value, $rest) = /\A([^=;]+)=([^;]*)(.*)\z/s or return "not a cookie: $_";
        my %has = map { lc s/\A\s+//r => 1 } grep { length } split /;/, $rest;
        my $gone = $rest =~ /max-age=(?:0|-\d+)\b|expires=[^;]*\b19[67]\d/i;
        push @problems, "cookie $name set twice" if $seen{$name}++;
        push @problems, map { "cookie $name is not $_" } grep { !$has{ lc $_ } } 'Path=/', 'HttpOnly', 'SameSite=Lax';
        push @problems, "cookie $name has $_" for grep { /\A(?:secure|domain=)/ } keys %has;
        next if grep { $_ eq '*' } @wanted;
        my $found = 0;
        for my $i (reverse 0 .. $#wanted) {
            my ($want_name, $want_value) = split /=/, $wanted[$i], 2;
            next if $want_name ne $name;
            $found = 1;
            my $right = length $want_value ? !$gone && compare($value, $want_value, $known, 0) : $gone;
            push @problems, "cookie $name is '$value'" . ($gone ? ', deleted' : '') if !$right;
            splice @wanted, $i, 1;
        }
        push @problems, "sets a cookie: $_" if !$found;
    }
    return @problems, map { "no Set-Cookie: $_" } grep { $_ ne '*' } @wanted;
}

sub header_problems {
    my ($reply, $exchange, $known) = @_;
    my @problems = map { "has a header $_" } grep { $reply->{headers}{ lc $_ } } @{ $exchange->{absent} };
    for (@{ $exchange->{headers} }) {
        my ($name, $wanted) = @$_;
        next if lc $name eq 'set-cookie';
        my @got = @{ $reply->{headers}{ lc $name } || [] };
        push @problems, @got ? "$name is @got" : "no header $name" if !grep { compare($_, $wanted, $known, 1) } @got;
    }
    return @problems;
}

my $json = JSON::PP->new->utf8;

sub body_problems {
    my ($reply, $method, $wanted, $known) = @_;
    return () if ($wanted // '') eq '*';
    return $reply->{body} eq '' ? () : 'has a body' if !defined $wanted;
    my @problems;
    if ($wanted =~ /\A\{/) {
        my %needed = ('content-type' => 'application/json; charset=utf-8', 'cache-control' => 'no-store');
        for (sort keys %needed) {
            my $got = join ' | ', @{ $reply->{headers}{$_} || ['absent'] };
            push @problems, "$_ is $got" if $got ne $needed{$_};
        }
        push @problems, 'not JSON' if !eval { $json->decode($reply->{body}) };
    }
    my $got = $wanted =~ /\A\{/ ? $reply->{body} : $reply->{body} =~ s/\n\z//r;
    push @problems, 'another body' if !compare($got, $wanted, $known, 0);
    return @problems;
}

# Sends it, through the browser's jar, and returns the reply.
sub ask {
    my ($server, $request, $known, $jars) = @_;
    my %headers = (Host => $known->{host});
    $headers{ $_->[0] } = defined $_->[1] ? wire($_->[1], $known, 0) : undef for @{ $request->{headers} };
    my ($type) = grep { lc eq 'content-type' } keys %headers;
    my $body = $request->{body};
    if (defined $body) {
        $type //= 'Content-Type';
        $headers{$type} = $body =~ /\A[\{\[]/ ? 'application/json'
            : 'application/x-www-form-urlencoded' if !exists $headers{$type};
        $body = wire($body, $known, ($headers{$type} // '') =~ /urlencoded/);
    }
    my $jar = $request->{jar} eq '-' ? undef : ($jars->{ $request->{jar} } ||= Account::Jar->new);
    return $server->request($request->{method}, wire($request->{path}, $known, 1), headers => \%headers,
        defined $body ? (body => $body) : (), $jar ? (cookie => $jar) : ());
}

sub run_request {
    my ($server, $request, $exchange, $known, $jars) = @_;
    my $reply = eval { ask($server, $request, $known, $jars) } or do { chomp $@; return "not sent: $@" };
    return $reply->{error} if $reply->{error};
    my @problems = eval {
        my $status = $exchange->{status} // 200;
        ($reply->{status} == $status ? () : "status is $reply->{status}, not $status",
            header_problems($reply, $exchange, $known),
            cookie_problems($reply, $exchange->{headers}, $known),
            body_problems($reply, $request->{method}, $exchange->{body}, $known));
    };
    push @problems, $@ if $@;
    push @problems, 'wanted ' . substr($exchange->{body} // '(no body)', 0, 1000), 'got    ' . substr $reply->{body}, 0, 1000
        if @problems;
    return @problems;
}

sub run_case {
    my ($server, $case) = @_;
    my %jars;
    my %known = (host => $case->{host}, origin => "http://$case->{host}",
        map { $_ => canary($case->{secrets}{$_}) } keys %{ $case->{secrets} });
    for my $step (@{ $case->{steps} }) {
        for my $exchange (@{ $step->{exchanges} }) {
            for my $request (@{ $exchange->{requests} }) {
                my @problems = run_request($server, $request, $exchange, \%known, \%jars);
                ok(!@problems, "$case->{name}: $step->{name}")
                    or diag("  line $request->{line}: $request->{method} " . substr($request->{path}, 0, 200)
                        . join '', map { chomp; "\n  $_" } @problems);
            }
        }
    }
}

# --- all of them, on one server ---

my $glob = $ENV{ACCOUNT_CASES} || "$ROOT/t/contracts/*/*.case";
my @cases = map { read_case($_) } sort grep { -f } glob $glob;
@cases or die "no case is called $glob\n";

my (@vhosts, %files, %drafts);
for my $case (@cases) {
    my ($file, $mount) = contract_file($case->{contract});
    $drafts{$file} = 1 if $file !~ m{/conf/contracts/};
    my $root = "htdocs/$case->{realm}";
    $files{"$root/$_"} = $case->{files}{$_} for keys %{ $case->{files} };
    $files{"$root/index.html"} //= "$case->{name}\n";
    push @vhosts, join "\n", "ServerName $case->{host}", "DocumentRoot \"\@DIR\@/$root\"", "AccountRealm $case->{realm}",
        "AccountPublicURL http://$case->{host}", $mount, @{ $case->{config} };
}
my $server = Account::Server->new(mounts => '', conf => join('', map { "Include $_\n" } sort keys %drafts),
    vhost => \@vhosts, files => \%files)->start;
run_case($server, $_) for @cases;
done();
