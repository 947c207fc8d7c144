//! Every environment variable that the library, the daemon or the launcher reads or sets.
//! `cargo xtask tidy` checks that no other file spells one.

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it means, with its default.
    pub meaning: &'static str,
}

macro_rules! variables {
    ($($konst:ident = $name:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $konst: &str = $name;)*

        /// All of them, in the order of this file.
        pub const ALL: &[Variable] = &[$(Variable { name: $name, meaning: $meaning },)*];
    };
}

variables! {
    RUNTIME_DIR = "PVM_RUNTIME_DIR":
        "directory of daemon sockets; default $XDG_RUNTIME_DIR/pvm, else /tmp/pvm-UID";
    XDG_RUNTIME_DIR = "XDG_RUNTIME_DIR": "the user's runtime directory, set by the system";
    DAEMON = "PVM_DAEMON": "name of the daemon to talk to on this host; default 'default'";
    SECRET = "PVM_SECRET":
        "file with the secret that the hosts of a virtual machine share; default pvm/vm.key in $XDG_CONFIG_HOME, else ~/.config";
    XDG_CONFIG_HOME = "XDG_CONFIG_HOME": "the user's configuration directory, set by the system";
    HOME = "HOME": "the user's home directory";
    PORT = "PVM_PORT": "UDP port of the daemon for other hosts; default any that is free";
    ROUTE = "PVM_ROUTE": "when tasks of two hosts connect directly: auto (default, when they talk much), direct (at first contact), or relay (never)";
    DATA = "PVM_DATA": "how direct connections between tasks are protected: tls (default) or plain";
    TEST_HOSTS = "PVM_TEST_HOSTS": "hosts of the virtual machine that pvm::testing::tasks makes; default 1";
    TEST_NETWORK = "PVM_TEST_NETWORK": "beginning of the names of network namespaces, one for each host of a pvm::testing::LocalVm: the number of the host follows; default: all are on the network of this machine";
    PVMD = "PVM_PVMD": "path of the pvmd program; default: beside pvm, beside the caller, then PATH";
    SSH = "PVM_SSH":
        "command that starts daemons on other hosts, with arguments if need be; default 'ssh'";
    LOG = "PVM_LOG": "log filter of the daemon, e.g. 'debug'; default 'warn'";
    SEED = "PVM_SEED": "tests: the one seed for simulations, instead of those that they have";
    ROUNDS = "PVM_ROUNDS": "tests: how often hosts are lost in the test that loses them again and again; default 4";
    CHECK = "PVM_CHECK": "tests: what watches the C programs of MPI: valgrind, or sanitizers; default nothing";
    STRESS = "PVM_STRESS": "tests: set and not empty: the MPI programs that try how much is possible do it at full length";
    IDLE = "PVM_IDLE": "seconds after which an auto-started daemon with nothing to do leaves; default 60";
    WAIT = "PVM_WAIT": "how tasks wait for messages: adaptive (default), spin, or block";
    NO_COLOR = "NO_COLOR": "set and not empty: pvm shows its tables without colours";
    TASK = "PVM_TASK": "set for started tasks: task id and capability, as 'ID:CAPABILITY' in hexadecimal";
    SOCKET = "PVM_SOCKET": "set for started tasks: path of the daemon's socket";
    TERMINAL = "PVM_TERMINAL":
        "set for started tasks when the launcher's stderr is a terminal: its width in columns";
    RANK = "PVM_RANK": "set for started tasks: rank in the launch";
    SIZE = "PVM_SIZE": "set for started tasks: number of tasks in the launch";
    JOB = "PVM_JOB": "set for started tasks: job id";
    APP = "PVM_APP": "set for started tasks: which program of the line it is, from 0";
    OMPI_RANK = "OMPI_COMM_WORLD_RANK": "set for started tasks, for scripts that read it: as PVM_RANK";
    OMPI_SIZE = "OMPI_COMM_WORLD_SIZE": "set for started tasks, for scripts that read it: as PVM_SIZE";
    OMPI_LOCAL_RANK = "OMPI_COMM_WORLD_LOCAL_RANK": "set for started tasks: rank among those of this host";
    OMPI_LOCAL_SIZE = "OMPI_COMM_WORLD_LOCAL_SIZE": "set for started tasks: number of them on this host";
    OMPI_NODE_RANK = "OMPI_COMM_WORLD_NODE_RANK": "set for started tasks: as the local rank";
    PMI_RANK = "PMI_RANK": "set for started tasks, for scripts that read it: as PVM_RANK";
    PMI_SIZE = "PMI_SIZE": "set for started tasks, for scripts that read it: as PVM_SIZE";
    PMI_FD = "PMI_FD": "set by another MPI's launcher: where its processes reach it";
    PMI_PORT = "PMI_PORT": "set by another MPI's launcher: as PMI_FD";
    PMIX_RANK = "PMIX_RANK": "set by another MPI's launcher: rank of the process";
    PMIX_NAMESPACE = "PMIX_NAMESPACE": "set by another MPI's launcher: name of the launch";
    MPI_LOCALRANKID = "MPI_LOCALRANKID": "set for started tasks: rank among those of this host";
    MPI_LOCALNRANKS = "MPI_LOCALNRANKS": "set for started tasks: number of them on this host";
    INITIAL_ERRHANDLER = "PVM_INITIAL_ERRHANDLER":
        "set for tasks started with -initial-errhandler: what MPI does with errors until the program has told it";
    ON_FAILURE = "PVM_ON_FAILURE": "set for tasks of a job that goes on when one of them fails: continue";
    DEBUG = "PVM_DEBUG":
        "what MPI programs are checked for at some cost, in all tasks alike: collectives (ranks compare their calls first), leaks (at the end it is told what was never freed or received), or all; default nothing";
    UNIVERSE_SIZE = "PVM_UNIVERSE_SIZE": "set for tasks started with -usize: size of the universe of MPI";
    MPIEXEC_TIMEOUT = "MPIEXEC_TIMEOUT": "time limit of jobs whose launcher is given none; default none";
    LD_LIBRARY_PATH = "LD_LIBRARY_PATH": "where the system looks for libraries of programs first";
    PATH = "PATH": "where programs are looked up";
    PVM_ARCH = "PVM_ARCH": "set for started tasks as PVM does: name of the architecture, e.g. LINUX64";
    PVM_EXPORT = "PVM_EXPORT": "PVM: colon-separated names of variables that spawned tasks inherit";
    PVM_CONTEXT = "PVMCTX": "set for tasks that PVM spawns: message context in which they begin; default 0";
    PVM_NO_PARENT = "PVM_NO_PARENT": "set for tasks that PVM spawns with PvmNoSpawnParent: they are told of no parent";
    PVMTASK = "PVMTASK": "PVM: flags added to every spawn; default 0";
}

/// Variables that say where things are on one host. On other hosts the tasks of a job get what the daemon
/// there has.
pub const OF_A_HOST: &[&str] = &["HOSTNAME", "TEMP", "TMP", "TMPDIR", XDG_RUNTIME_DIR];

/// Variables of one session of a user, or of one task of another launcher: what they name is not there on
/// other hosts, or is another thing. `*` stands for any end.
pub const OF_A_SESSION: &[&str] = &[
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GPG_TTY",
    "SLURMD_NODENAME",
    "SLURM_GTIDS",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_PROCID",
    "SLURM_TASK_PID",
    "SSH_*",
    "STY",
    "TMUX",
    "TMUX_PANE",
    "WAYLAND_DISPLAY",
    "WINDOWID",
    "XAUTHORITY",
    "XDG_SEAT",
    "XDG_SESSION_*",
    "XDG_VTNR",
];
