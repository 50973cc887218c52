"""What the tour of the demonstration says, and of whom: eight stops of about a minute each."""

from app.domain.access import AccountRole
from app.domain.sentences import said
from app.web.tour import DemoPerson, Stop, Tour

PASSWORD = "look at the case first"  # noqa: S105 - printed for everybody; the demonstration is local

READER = DemoPerson(
    "reader1@demo.invalid",
    "Demo reader 1",
    AccountRole.READER,
    said("Reads the cases of the study “demo”: first alone, then with the model."),
)
SECOND_READER = DemoPerson(
    "reader2@demo.invalid",
    "Demo reader 2",
    AccountRole.READER,
    said("Reads the same cases in another order, and sees nothing of the first reader's calls."),
)
COORDINATOR = DemoPerson(
    "coordinator@demo.invalid",
    "Demo coordinator",
    AccountRole.COORDINATOR,
    said("Makes studies, invites readers, follows them, and sees results after unblinding."),
)
ADMINISTRATOR = DemoPerson(
    "administrator@demo.invalid",
    "Demo administrator",
    AccountRole.ADMINISTRATOR,
    said("Helps people who cannot sign in, and reads the installation's log. Sees no study."),
)

READERS = (READER, SECOND_READER)

_DERMATOLOGIST = said("for dermatologists")
_COORDINATOR = said("for coordinators")
_STATISTICIAN = said("for statisticians")
_ENGINEER = said("for engineers")

TOUR = Tour(
    people=(READER, SECOND_READER, COORDINATOR, ADMINISTRATOR),
    password=PASSWORD,
    stops=(
        Stop(
            "/",
            READER,
            _DERMATOLOGIST,
            said("A reader's studies"),
            said(
                "This is all that a reader has to find: the studies they read in, how far they "
                "are, and one button to go on."
            ),
        ),
        Stop(
            "/studies/demo/read",
            READER,
            _DERMATOLOGIST,
            said("Read a case"),
            said(
                "Call it without the AI, say how sure you are, and lock. What the AI says comes "
                "after the lock. Then reload, or go back: a locked call stays locked."
            ),
        ),
        Stop(
            "/studies/demo",
            COORDINATOR,
            _COORDINATOR,
            said("A study in seven steps"),
            said(
                "From the table of cases to the results. Each step says what it fixes for good, "
                "and only the next one is offered."
            ),
        ),
        Stop(
            "/studies/demo/cases",
            COORDINATOR,
            _COORDINATOR,
            said("Cases without their diagnoses"),
            said(
                "Diagnoses and predictions are stored and shown to nobody before unblinding, the "
                "coordinator included. A case can be excluded, with a reason that is published."
            ),
        ),
        Stop(
            "/studies/demo/monitor",
            COORDINATOR,
            _COORDINATOR,
            said("Follow the readers"),
            said(
                "Who is where, how long a call takes, who has stopped. No call and no accuracy: "
                "nobody can steer a study by how it turns out. Two of these readers are simulated."
            ),
        ),
        Stop(
            "/studies/demo-results/results",
            COORDINATOR,
            _STATISTICIAN,
            said("Results, with their methods"),
            said(
                "Every number has its method, its n and the SHA-256 of its data. “Everything "
                "(ZIP)” holds the data, and a program of your own can check it. These readers are "
                "simulated."
            ),
        ),
        Stop(
            "/studies/demo-results/audit",
            COORDINATOR,
            _STATISTICIAN,
            said("The proof"),
            said(
                "Each event is chained to the one before it. Look for reading, then for reveal: "
                "for every case the unaided lock comes first. “reread verify” checks it from the "
                "export alone."
            ),
        ),
        Stop(
            "/accounts",
            ADMINISTRATOR,
            _ENGINEER,
            said("Who runs the server"),
            said(
                "An administrator opens and closes accounts and sees no study. The state of the "
                "server is at /ready; backups and updates are in the manual, under Operations."
            ),
        ),
    ),
)
