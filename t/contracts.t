# matrix: all
#
# Contracts as their clients see them: t/contracts/CONTRACT/*.case, each file a conversation with a server
# that has the contract mounted where the first line of its .conf says, in a realm and virtual host of the
# file's own. t/lib/Account/Case.pm says what a case may say.
# ACCOUNT_CASES='t/contracts/mmall/login.case' runs only what matches, without the guard below.
#
# At the end: everything that can happen on a route of a contract that ships has happened in some case.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Case;

# Cases are bytes; Test::More's handles are told so, for names and diagnostics.
binmode Test::More->builder->$_, ':raw' for qw(output failure_output todo_output);

# A case meets only the limits that it is about: all of them come from one address, in one second.
my @OFF = qw(send-target send-address send-network send-total captcha-address captcha-failures captcha-pictures
    code-target code-client password-account password-device password-address answer-account reveal-address reveal-network);

# A contract's file, and "AccountMount PATH NAME" as its first line says.
sub contract_file {
    my ($contract) = @_;
    my $file = "$ROOT/conf/contracts/$contract.conf";
    slurp($file) =~ /\A#[^\n]*(AccountMount \S+ \Q$contract\E)\b/ or die "$file: its first line does not say AccountMount\n";
    return ($file, $1);
}

sub sends_links { my ($text) = @_; return $text =~ /^\s*Account(?:Action\s+send_link|Set\s+then\s+activate)\b/m }

# What stands in the case's virtual host.
sub virtual_host {
    my ($case) = @_;
    my ($file, $mount) = contract_file($case->{contract});
    my @config = @{ $case->{config} };
    my %own = map { /\AAccountLimit (\S+)/ ? ($1 => 1) : () } @config;
    my @mounts = ($mount, grep { /\AAccountMount / } @config);
    my @contracts = map { m{\AAccountMount (?:/\S* )?(\S+)} ? $1 : () } @mounts;
    my $links = !(grep { $_ eq 'links' } @contracts) && grep { sends_links(slurp((contract_file($_))[0])) } @contracts;
    return join "\n", "ServerName $case->{host}", "DocumentRoot \"\@DIR\@/htdocs/$case->{realm}\"",
        "AccountRealm $case->{realm}", "AccountPublicURL http://$case->{host}",
        (map { "AccountLimit $_ off" } grep { !$own{$_} } @OFF), $mount,
        $links ? (contract_file('links'))[1] : (), @config;
}

my $glob = $ENV{ACCOUNT_CASES} || "$ROOT/t/contracts/*/*.case";
my @cases = map { Account::Case::read_case($_) } sort grep { -f } glob $glob;
@cases or die "no case is called $glob\n";

# One file has all messages, so that no two cases may wait for one recipient's.
my %waits;
for my $case (@cases) {
    $waits{$_} && die "$waits{$_} and $case->{name} both wait for messages to $_\n" for Account::Case::recipients($case);
    $waits{$_} = $case->{name} for Account::Case::recipients($case);
}

my %files;
for my $case (@cases) {
    $files{"htdocs/$case->{realm}/$_"} = $case->{files}{$_} for keys %{ $case->{files} };
    $files{"htdocs/$case->{realm}/index.html"} //= "$case->{name}\n";
}
my $server = Account::Server->new(
    limits => 1, sql_counts => 1,
    mounts => '', vhost => [ map { virtual_host($_) } @cases ], files => \%files,
    conf   => "AccountSms file:\@DIR\@/messages.jsonl\nAccountMail file:\@DIR\@/messages.jsonl\n"
        . "AccountTexts \@ROOT\@/conf/texts\nAccountLanguage en\n",
)->start;

# Several at once, since most of the time is spent waiting for messages.
my $AT_ONCE = @cases < 4 ? @cases : 4;
my @done = map { @$_ } concurrent($AT_ONCE, sub {
    my ($share) = @_;
    return [ map { [ $_, Account::Case::run_case($server, $cases[$_]) ] } grep { $_ % $AT_ONCE == $share } 0 .. $#cases ];
}, 240);
for my $done (sort { $a->[0] <=> $b->[0] } @done) {
    my ($case, @results) = @$done;
    ok($_->[1] eq '', $_->[0]) or diag($_->[1]) for @results;
}

# --- the guard: what can happen has happened ---

# What no client can bring about on the routes of an action, and why. An outcome that happened nevertheless
# fails, so that the tables stay true.
my @NEVER = (
    # actions, outcomes, reason
    [ qr/./, qr/\Aunavailable\z/, 'the machine must fail: t/database-down.t' ],
    [ qr/\A(?:none|current|logout|open_link|points|sessions|end_session|end_other_sessions)\z/,     qr/\Atoo-many\z/, 'nothing is counted' ],
    [ qr/\A(?:set_role|disable|enable)\z/,                  qr/\Atoo-many\z/, 'nothing is counted of administrators' ],
    [ qr/\A(?:activate|reset_by_link)\z/,                   qr/\Atoo-many\z/, 'a random token needs no limit' ],
    [ qr/\Aregister/, qr/\Ainvalid\.extra\.notify_/, 'the parameter is account, which was refused before' ],
);

# What no client can bring about on one route.
my %NEVER = (
    'mmall forget_reset_password too-many'  => 'a random token needs no limit',
    'mmall check_valid taken.mobile'        => 'its map names user names and addresses only',
    'mmall check_valid invalid.kind.length' => 'its map gives short words only',
    'youhaosuda save too-many'              => 'without an e-mail address nothing is counted',
    'youhaosuda save invalid.gender.length' => 'its map gives short words only',
    'youhaosuda save invalid.gender.text'   => 'its map gives plain words only',
    (map { ("links $_ bad-method" => "${_}_page has the same path, and answers for both") } qw(activate reset)),
    (map { ("guochuang $_ bad-method" => "$_-send has the same path, and answers for both") }
            qw(registerPhone loginPhone forgetPassword)),
    (map { ("devices $_ bad-method" => 'another route has the same path, and answers for both') } qw(end_others end_by_post end_others_by_post)),
    (map { ("$_.required" => 'it is a part of the path, which is another path without it') }
            'devices end invalid.session_id', 'youhaosuda captcha_image invalid.captcha_id',
        map { ("guochuang $_ invalid.target", "guochuang $_-send invalid.target") }
            qw(registerPhone loginPhone forgetPassword)),
);

# {"contract route" => action} of a contract's file.
sub actions_of {
    my ($contract) = @_;
    my ($file) = contract_file($contract);
    my (%action, $route);
    for (split /\n/, slurp($file)) {
        $route = $1 if /<AccountRoute\s+(\S+)/;
        $action{"$contract $route"} = $1 if /^\s*AccountAction\s+(\S+)/;
    }
    return %action;
}

# {"contract route outcome" => 1} that the compiled contract has a reply for, of parameters invalid.NAME.RULE.
sub possible_outcomes {
    my ($contract) = @_;
    my ($file) = contract_file($contract);
    my @command = (Account::Case::build_directory($server) . '/test_contract', 'outcomes', $file);
    open my $out, '-|', @command or die "$command[0]: $!\n";
    my %possible = map { chomp; m{\A\S+ \S+ \S+\z} or die "$command[0] said: $_\n"; $_ => 1 } <$out>;
    close $out or die "$command[0] failed\n";
    %possible or die "$command[0] said nothing of $file\n";
    return %possible;
}

# {"contract route outcome" => how often} that the server's log tells.
sub happened {
    my $log = $server->error_log;
    my %happened;
    $happened{"$1 $2"}++ while $log =~ /AC00221: (\S+ \S+): ([a-z0-9._-]+)/g;
    return %happened;
}

sub reason_why_never {
    my ($pair, $action) = @_;
    my ($outcome) = $pair =~ /(\S+)\z/;
    return $NEVER{$pair} // (map { $_->[2] } grep { $action =~ $_->[0] && $outcome =~ $_->[1] } @NEVER)[0];
}

if (!$ENV{ACCOUNT_CASES}) {
    my %happened = happened();
    for my $contract (map { m{([^/]+)\.conf\z} } sort glob "'$ROOT/conf/contracts/*.conf'") {
        my %action = actions_of($contract);
        my %possible = possible_outcomes($contract);
        my (@missing, @wrong);
        for my $pair (sort keys %possible) {
            my ($route) = $pair =~ /\A(\S+ \S+)/;
            my $never = reason_why_never($pair, $action{$route} // die "no action of $route\n");
            push @missing, $pair if !$never && !$happened{$pair};
            push @wrong, "$pair: $never" if $never && $happened{$pair};
        }
        ok(!@missing, "$contract: every outcome of every route is in a case") or diag(join "\n", @missing);
        ok(!@wrong, "$contract: what can't happen does not") or diag(join "\n", @wrong);
        my @unknown = grep { /\A\Q$contract\E / && !$possible{$_} } sort keys %happened;
        ok(!@unknown, "$contract: nothing else happened") or diag(join "\n", @unknown);
    }
}
done();
