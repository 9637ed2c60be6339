# Runs unit programs and test files, several at a time, each with a time limit, and counts assertions.
# ./check calls it: perl -It/lib -MAccount::Harness -e 'exit Account::Harness::main(@ARGV)' [--quick] PROGRAM.. FILE.t..
package Account::Harness;
use strict;
use warnings;
use Account::MariaDB;
use Account::Process qw(temp_dir slurp);
use Getopt::Long;
use List::Util 'shuffle';
use POSIX ();
use TAP::Parser;
use Time::HiRes qw(time sleep);

use constant LIMIT => 300;    # seconds for one program or file

# What ./check runs for a file's "# matrix:" line: [MPM, database].
my %MATRIX = (
    once => [ [qw(event sqlite3)] ],
    db   => [ [qw(event sqlite3)], [qw(event mysql)] ],
    all  => [ [qw(event sqlite3)], [qw(event mysql)], [qw(prefork sqlite3)], [qw(prefork mysql)] ],
);

# {name, plan: its name in t/PLAN, env, command, alone}
sub unit_job {
    my ($program, $mariadb) = @_;
    my ($where, $name) = $program =~ m{([^/]*)/([^/]+)\z};
    return { name => "$where/$name", plan => $name, command => [$program],
        env => { ACCOUNT_TEST_MYSQL => $mariadb->params($mariadb->fresh_database) } };
}

sub file_jobs {
    my ($file, $quick) = @_;
    my $text = slurp($file);
    my ($matrix) = $text =~ /^# matrix: *(\w+)/m or die "$file has no line '# matrix: all', 'db' or 'once'\n";
    my $runs = $MATRIX{$matrix} or die "$file: unknown matrix '$matrix'\n";
    return map {
        my ($mpm, $db) = @$_;
        { name => "$file $mpm $db", plan => $file, command => [ $^X, '-It/lib', $file ],
            env => { ACCOUNT_MPM => $mpm, ACCOUNT_DB => $db }, alone => scalar($text =~ /^# alone\b/m) };
    } grep { !$quick || $_->[0] ne 'prefork' } @$runs;
}

# Starts jobs as long as there is room, calls $done->($job) for each that has ended.
sub run_all {
    my ($at_once, $done, @waiting) = @_;
    my $dir = temp_dir('jobs');
    my @running;
    while (@waiting || @running) {
        while (@waiting && @running < $at_once) {
            my $job = shift @waiting;
            $job->{output} = "$dir/" . ($job->{name} =~ tr{/ }{__}r);
            $job->{start} = time;
            $job->{process} = Account::Process->spawn(
                command => $job->{command}, env => $job->{env}, output => $job->{output}, limit => LIMIT);
            push @running, $job;
        }
        sleep 0.05;
        my @still = grep { $_->{process}->running } @running;
        for my $job (grep { !$_->{process}->running } @running) {
            $job->{seconds} = time - $job->{start};
            $done->($job);
        }
        @running = @still;
    }
}

# (assertions passed, failed, [reasons]); what was skipped or is still to do counts as nothing.
sub judge {
    my ($tap, $status, $minimum) = @_;
    my $parser = TAP::Parser->new({ tap => $tap });
    my ($passed, $failed, @why) = (0, 0);
    while (my $result = $parser->next) {
        next if !$result->is_test || $result->has_skip || $result->has_todo;
        $result->is_ok ? $passed++ : $failed++;
    }
    my @errors = $parser->parse_errors;
    if ($status && !$failed) { push @why, "exit status $status" }
    if (@errors && !$failed) { push @why, @errors }
    if (defined $minimum && $passed + $failed < $minimum) {
        push @why, 'only ' . ($passed + $failed) . " assertions ran, t/PLAN says $minimum";
    }
    return ($passed, $failed + @why, \@why);
}

# t/PLAN: 'file minimum-count' lines, so that a test which stops running is noticed.
sub read_plan {
    my %plan;
    for (split /\n/, slurp('t/PLAN')) {
        next if /^\s*(#|$)/;
        /^(\S+)\s+(\d+)$/ or die "t/PLAN: what is '$_'?\n";
        $plan{$1} = $2;
    }
    return \%plan;
}

sub main {
    local @ARGV = @_;
    GetOptions(\my %opt, 'quick', 'partial', 'jobs=i') or die "usage: see the file\n";    # partial: no plan guard
    $| = 1;
    my $seed = $ENV{SEED} // int rand 1e6;
    srand $seed;
    print "random order: SEED=$seed repeats it\n";

    my $mariadb = Account::MariaDB->new->start->share;
    $ENV{ACCOUNT_TMP} //= Account::Process::run_dir();
    my @units = map { unit_job($_, $mariadb) } grep { !/\.t$/ } @ARGV;
    my @files = shuffle(map { file_jobs($_, $opt{quick}) } grep { /\.t$/ } @ARGV);

    my ($passed, $failed) = (0, 0);
    my $plan = read_plan();
    my %ran;
    my $done = sub {
        my ($job) = @_;
        my $minimum = $opt{partial} ? 0 : $plan->{ $job->{plan} };
        my $tap = slurp($job->{output});
        my ($yes, $no, $why) = judge($tap, $job->{process}->wait_for(0), $minimum);
        if (!defined $minimum) {
            push @$why, "t/PLAN does not name it: '$job->{plan} $yes'";
            $no++;
        }
        printf "%-4s %-44s %4d passed%s, %.1f s\n", $no ? 'FAIL' : 'ok', $job->{name}, $yes, $no ? ", $no failed" : '',
            $job->{seconds};
        print map { "     | $_\n" } $no ? (split(/\n/, $tap), @$why) : $tap =~ /^# shown: (.*)$/mg;
        $ran{ $job->{plan} } = 1;
        $passed += $yes;
        $failed += $no;
    };
    run_all($opt{jobs} || 2, $done, @units, grep { !$_->{alone} } @files);
    run_all(1, $done, grep { $_->{alone} } @files);

    if (!$opt{partial}) {
        for my $name (grep { !$ran{$_} } sort keys %$plan) {
            print "FAIL $name: t/PLAN names it, but it did not run\n";
            $failed++;
        }
    }
    print "$passed passed, $failed failed\n";
    return $failed || !$passed ? 1 : 0;
}

1;
