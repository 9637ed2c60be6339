# Conversations with a server as data: t/contracts/CONTRACT/NAME.case. What a file says:
#
#   == a name                  a step: requests and the reply that each of them must get
#   > POST /user/login.do username=geely&password={pw}          method, path, body (the rest of the line)
#   > Origin: {origin}         a header of the request above; without a value: that header is not sent
#   < 403                      the reply: its status (200 unless given),
#   < Allow: GET, POST         a header that it must have (* stands for anything), or
#   < !Allow                   must not have,
#   < {"status":1,"msg":"…"}   and its body, byte for byte; * is any body; without this line there must be none;
#   < image/png                a picture of that type, judged by its first and last bytes
#   < page reset-again         the page conf/texts/LANGUAGE/reset-again.html, whatever is in its slots;
#   < page activate {token}    that also has this text in it
#
# What is not said: a body has the Content-Type of JSON if it begins with { or [, else of a form; what is
# not ASCII in a path or form is sent as %XX; \xHH is a byte, {70000*a} 70000 times an a; the Host is {host}.
#
#   {id} {ms} {uuid} {session} {text} {iso} {captcha} {count}    in a reply: what looks like that
#   {t=uuid}                     the same, kept as {t}, also for the rest of this reply
#   {t}                          in a request or reply: what was kept, the secret of that name, or {host},
#                                {origin} (http://{host}, the AccountPublicURL), {realm}, {ms_now}, and
#                                {ms_last_year}, which is in the middle of the year before
#   {t|base64}                   in a request: what was kept, in base64
#   @let NAME TEXT               {NAME} is TEXT from here on
#   @secret NAME VALUE           the same, and no log may hold it (nor any uuid or session that was kept;
#                                {t=text} is for one that is sent where logs may hold it)
#   @jar NAME                    another browser from here on; "-" keeps no cookies
#   @config DIRECTIVE            one more line in the virtual host
#   @file PATH TEXT              a static file below its DocumentRoot
#
# Between the requests of a step:
#
#   @code NAME TO                waits for the next message with a code to TO, a number or address; the code is
#                                {NAME}, a secret
#   @link NAME TO                the same with a link: its path and query; {NAME_token} is its token, a secret
#   @message TEMPLATE TO         the next message to TO is this one of the texts; a @code or @link that follows
#                                at once is about the same message
#   @quiet TO                    nothing more was sent to TO, nor waits in the outbox
#   @sql STATEMENT               what only a site's own code or an administrator does, and the passing of time
#   @captcha NAME {id}           what the picture with that id shows
#
# Cookies are kept as a browser does. "< Set-Cookie: NAME=VALUE" compares name and value, an empty value is
# one that the reply deletes, "< Set-Cookie: *" allows any. A reply that sets a cookie without such a line fails,
# but for the device cookie, which matters only where a case names it.
# Each reply with a JSON body is also held to its Content-Type, Cache-Control and, strictly, to being JSON.
package Account::Case;
use strict;
use warnings;
use utf8;
use Account::Client;
use Account::Process qw($ROOT slurp);
use Account::Test ();
use File::Basename 'dirname';
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Test::More;
use Time::HiRes qw(sleep time);
use Time::Local 'timegm';

use constant {
    DEVICE  => 'account_device',
    ARRIVES => 5,                  # seconds until a message must be there
};

my %pattern = (
    id      => '[1-9][0-9]{0,15}',
    ms      => '[12][0-9]{12}',
    uuid    => '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
    session => '[A-Za-z0-9_-]{22,64}',
    text    => '[A-Za-z0-9_-]+',
    iso     => '2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}\+08:00',
    captcha => '[0-9a-f]{32}',
    count   => '[0-9]+',
);
my %is_secret = (uuid => 1, session => 1);
my $header = qr/([A-Za-z][A-Za-z0-9-]*):(?: (.*))?\z/;
my $json = JSON::PP->new->utf8;

# Everything here is bytes.
sub bytes { my ($text) = @_; utf8::encode($text) if utf8::is_utf8($text); return $text }

# --- the files ---

# What an "@" line does when its turn comes, by its name: the pattern of the rest of the line.
my %act = (
    code    => qr/\A([a-z_0-9]+) +(\S+)\z/,
    link    => qr/\A([a-z_0-9]+) +(\S+)\z/,
    message => qr/\A([a-z]+-[a-z]+) +(\S+)\z/,
    quiet   => qr/\A(\S+)\z/,
    sql     => qr/\A(.+)\z/,
    captcha => qr/\A([a-z_0-9]+) +(\S+)\z/,
);

# What is said of a reply goes into the exchange. A text: what is wrong with it.
sub read_reply {
    my ($exchange, $what) = @_;
    if    ($what =~ /\A\d{3}\z/)         { $exchange->{status} = $what }
    elsif ($what =~ /\A!([A-Za-z-]+)\z/) { push @{ $exchange->{absent} }, $1 }
    elsif ($what =~ /\A$header/)         { push @{ $exchange->{headers} }, [ $1, $2 // '' ] }
    elsif (grep { defined $exchange->{$_} } qw(body picture page)) { return 'a second body' }
    elsif ($what =~ m{\A(image/png)\z})                            { $exchange->{picture} = $1 }
    elsif ($what =~ /\Apage ([a-z-]+)(?: (.+))?\z/)                { $exchange->{page} = [ $1, $2 // '' ] }
    else                                                           { $exchange->{body} = $what }
    return undef;
}

# {file, name, realm, host, contract, config => [..], files => {..}, secrets => {..}, steps => [..]}; dies where it
# does not understand.
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
        elsif (/\A\@([a-z]+) +(.+)/ && $act{$1}) {
            my ($act, $rest) = ($1, $2);
            my @words = $rest =~ $act{$act};
            @words or $wrong->("not understood: $_");
            $step  or $wrong->("\@$act before the first \"== name\"");
            !$exchange || exists $exchange->{line} or $wrong->("\@$act between a request and its reply");
            push @{ $step->{exchanges} }, { act => $act, words => \@words, line => $number, text => $_ };
            $exchange = undef;
        }
        elsif (/\A> ([A-Z]+) (\S+)(?: (.+))?\z/) {
            $step or $wrong->('a request before the first "== name"');
            push @{ $step->{exchanges} }, $exchange = { requests => [], headers => [], absent => [] }
                if !$exchange || exists $exchange->{line};
            push @{ $exchange->{requests} },
                $request = { method => $1, path => $2, body => $3, headers => [], jar => $jar, line => $number };
        }
        elsif (/\A> $header/) { push @{ ($request || $wrong->('no request yet'))->{headers} }, [ $1, $2 ] }
        elsif (/\A< (.+)/) {
            $exchange or $wrong->('a reply without a request');
            $exchange->{line} //= $number;
            my $problem = read_reply($exchange, $1);
            $wrong->($problem) if $problem;
        }
        else { $wrong->("not understood: $_") }
    }
    return \%case;
}

# --- one request and its reply ---

# In an address or form, + / and = have a meaning of their own.
sub base64 {
    my ($value, $escape) = @_;
    my $text = encode_base64($value, '');
    $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge if $escape;
    return $text;
}

# What a case says of a request, as bytes for the wire.
sub wire {
    my ($text, $known, $escape) = @_;
    $text =~ s/\{ms_now\}/int(1000 * time)/ge;
    $text =~ s/\{([a-z_0-9]+)(\|base64)?\}/
        my $value = $known->{$1} \/\/ die "{$1} was never kept\n";
        $2 ? base64($value, $escape) : $value/gex;
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
    for (split /(\{[a-z_0-9]+(?:=[a-z]+)?\}|\{\d+\*.\}|\*)/, $text) {
        if ($_ eq '*' && $star) { $out .= '.*' }
        elsif (/\A\{([a-z_0-9]+)=([a-z]+)\}\z/) {
            push @$kept, [ $1, $2 ];
            $out .= '(' . ($pattern{$2} // die "no pattern {$2}\n") . ')';
        }
        elsif (/\A\{([a-z_0-9]+)\}\z/) {
            my ($name) = ($1);
            my ($group) = grep { $kept->[ $_ - 1 ][0] eq $name } 1 .. @$kept;
            $out .= $group ? "\\g{$group}" : defined $known->{$name} ? quotemeta $known->{$name}
                : $pattern{$name} // die "{$name} was never kept\n";
        }
        elsif (/\A\{(\d+)\*(.)\}\z/) { $out .= quotemeta($2) . "{$1}" }
        else                         { $out .= quotemeta }
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
        $known->{$name} = $is_secret{$kind} ? Account::Test::canary($found[$i]) : $found[$i];
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
        push @problems, "sets a cookie: $_" if !$found && $name ne DEVICE;
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

# The type, and that nobody keeps it.
sub type_problems {
    my ($reply, $type) = @_;
    my %needed = ('content-type' => $type, 'cache-control' => 'no-store');
    return map { my $got = join ' | ', @{ $reply->{headers}{$_} || ['absent'] }; $got eq $needed{$_} ? () : "$_ is $got" }
        sort keys %needed;
}

sub picture_problems {
    my ($reply, $type) = @_;
    return (type_problems($reply, $type),
        $reply->{body} =~ /\A\x89PNG\x0D\x0A\x1A\x0A.{100,}IEND\xAE\x42\x60\x82\z/s ? () : 'no picture');
}

# As the file says, its slots aside.
sub page_problems {
    my ($reply, $page, $known) = @_;
    my ($name, $text) = @$page;
    my $file = slurp("$ROOT/conf/texts/$known->{language}/$name.html");
    my $form = join '.*?', map { quotemeta } split /%\{[^}]*\}/, $file, -1;
    $text = wire($text, $known, 0);
    return (type_problems($reply, 'text/html; charset=utf-8'),
        $reply->{body} =~ /\A$form\z/s ? () : "not the page $name",
        index($reply->{body}, $text) < 0 ? "the page has no '$text'" : ());
}

sub body_problems {
    my ($reply, $exchange, $known) = @_;
    my $wanted = $exchange->{body};
    return picture_problems($reply, $exchange->{picture}) if $exchange->{picture};
    return page_problems($reply, $exchange->{page}, $known) if $exchange->{page};
    return () if ($wanted // '') eq '*';
    return $reply->{body} eq '' ? () : 'has a body' if !defined $wanted;
    my @problems;
    if ($wanted =~ /\A\{/) {
        push @problems, type_problems($reply, 'application/json; charset=utf-8');
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
            body_problems($reply, $exchange, $known));
    };
    push @problems, $@ if $@;
    my $wanted = $exchange->{body} // ($exchange->{page} ? "page @{ $exchange->{page} }" : '(no body)');
    push @problems, 'wanted ' . substr($wanted, 0, 1000), 'got    ' . substr $reply->{body}, 0, 1000 if @problems;
    return @problems;
}

# --- messages and what else happens between the requests ---

sub messages_file { my ($server) = @_; return $server->dir . '/messages.jsonl' }

# All that were sent so far, oldest first; a line that is being written is not there yet.
sub messages {
    my ($server) = @_;
    my $file = messages_file($server);
    return map { $json->decode($_) } -e $file ? slurp($file) =~ /^(.+)\n/mg : ();
}

# The next one to that recipient, with that part if one is named; undef when none comes. $mail: {seen => how many by
# recipient, held => the one that @message was about}
sub next_message {
    my ($server, $mail, $to, $seconds, $part) = @_;
    my $until = time + $seconds;
    while (1) {
        my @to = grep { $_->{to} eq $to } messages($server);
        while (@to > ($mail->{seen}{$to} // 0)) {
            my $message = $to[ $mail->{seen}{$to}++ ];
            return $message if !$part || defined $message->{$part};
        }
        return undef if time > $until;
        sleep 0.05;
    }
}

# The code or link that a line is about.
sub part_of_message {
    my ($server, $mail, $to, $part) = @_;
    my $held = delete $mail->{held};
    my $message = $held && $held->{to} eq $to ? $held : next_message($server, $mail, $to, ARRIVES, $part);
    return ($message // die "no message with a $part to $to\n")->{$part} // die "the message to $to has no $part\n";
}

# Where the unit programs of the module under test are.
sub build_directory {
    my ($server) = @_;
    return dirname(dirname($server->{module}));
}

# What a captcha shows is derived from its id under the server's key.
sub captcha_text {
    my ($server, $realm, $id) = @_;
    my @command = (build_directory($server) . '/test_captcha', 'text', $server->dir . '/account.key', $realm, $id);
    open my $out, '-|', @command or die "$command[0]: $!\n";
    my $text = <$out> // '';
    close $out or die "$command[0] failed\n";
    chomp $text;
    return length $text ? $text : die "$command[0] said nothing\n";
}

my %run_act = (
    code => sub {
        my ($server, $known, $mail, $name, $to) = @_;
        my $code = part_of_message($server, $mail, $to, 'code');
        $code =~ /\A[0-9]{6}\z/ or die "the code has not six digits\n";
        $known->{$name} = Account::Test::canary($code);
    },
    link => sub {
        my ($server, $known, $mail, $name, $to) = @_;
        my $link = part_of_message($server, $mail, $to, 'link');
        $link =~ m{\A\Q$known->{origin}\E(/\S*[?&]token=([^&\s]+)\S*)\z} or die "the link leads elsewhere than $known->{origin}\n";
        ($known->{$name}, $known->{"${name}_token"}) = ($1, Account::Test::canary($2));
    },
    message => sub {
        my ($server, $known, $mail, $template, $to) = @_;
        my $message = next_message($server, $mail, $to, ARRIVES) // die "no message to $to\n";
        my $wanted = $to =~ /\@/ ? 'mail' : 'sms';
        $message->{channel} eq $wanted     or die "the channel is $message->{channel}\n";
        $message->{template} eq $template  or die "the message to $to is $message->{template}\n";
        length $message->{text}            or die "the message has no text\n";
        $wanted eq 'sms' || length($message->{subject} // '') or die "the mail has no subject\n";
        $mail->{held} = $message;
    },
    quiet => sub {
        my ($server, $known, $mail, $to) = @_;
        my ($waiting) = $server->sql('SELECT COUNT(*) FROM account_message'
                . " WHERE realm = '$known->{realm}' AND recipient = '$to' AND done = 0");
        die "$waiting messages to $to wait\n" if $waiting;
        my $message = next_message($server, $mail, $to, 0) or return;
        die "a message $message->{template} to $to\n";
    },
    sql => sub {
        my ($server, $known, $mail, $statement) = @_;
        utf8::decode($statement);
        $server->sql($statement);
    },
    captcha => sub {
        my ($server, $known, $mail, $name, $id) = @_;
        $known->{$name} = captcha_text($server, $known->{realm}, $id);
    },
);

sub run_act {
    my ($server, $exchange, $known, $mail) = @_;
    my ($act, @words) = ($exchange->{act}, @{ $exchange->{words} });
    delete $mail->{held} if $act !~ /\A(?:code|link)\z/;
    return () if eval { $run_act{$act}->($server, $known, $mail, map { wire($_, $known, 0) } @words); 1 };
    chomp(my $problem = $@);
    return $problem;
}

# --- a whole case ---

sub report {
    my ($case, $step, $line, $what, @problems) = @_;
    ok(!@problems, "$case->{name}: $step->{name}")
        or diag("  line $line: $what" . join '', map { chomp; "\n  $_" } @problems);
}

# One assertion for each request and each "@" line that does something.
sub run_case {
    my ($server, $case) = @_;
    my %jars;
    my %mail = (seen => {});
    $mail{seen}{ $_->{to} }++ for messages($server);
    my ($language) = map { /\AAccountLanguage (\w+)/ ? $1 : () } reverse @{ $case->{config} };
    my %known = (host => $case->{host}, origin => "http://$case->{host}", realm => $case->{realm},
        language => $language // 'en', ms_last_year => 1000 * timegm(0, 0, 0, 1, 6, (gmtime)[5] + 1899),
        map { $_ => Account::Test::canary($case->{secrets}{$_}) } keys %{ $case->{secrets} });
    for my $step (@{ $case->{steps} }) {
        for my $exchange (@{ $step->{exchanges} }) {
            if ($exchange->{act}) {
                report($case, $step, $exchange->{line}, $exchange->{text}, run_act($server, $exchange, \%known, \%mail));
                next;
            }
            delete $mail{held};
            for my $request (@{ $exchange->{requests} }) {
                report($case, $step, $request->{line}, "$request->{method} " . substr($request->{path}, 0, 200),
                    run_request($server, $request, $exchange, \%known, \%jars));
            }
        }
    }
}

1;
