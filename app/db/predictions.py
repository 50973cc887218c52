"""Model versions and predictions, as the worker writes them: each once, never changed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.session import Connection, fetch_value


def register_model(
    connection: Connection,
    *,
    name: str,
    backbone: str,
    weights_sha256: str,
    preprocessing: str,
    threshold: float,
    map_scale: float,
    map_grid: tuple[int, int],
    demonstration: bool,
    card: str,
    performance: Mapping[str, Any] | None = None,
) -> UUID:
    """Return the id of this model version, storing it when it is new."""
    connection.execute(
        """INSERT INTO model_version (name, backbone, weights_sha256, preprocessing, threshold,
               map_scale, map_rows, map_columns, demonstration, card, performance)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        [
            name,
            backbone,
            weights_sha256,
            preprocessing,
            threshold,
            map_scale,
            *map_grid,
            demonstration,
            card,
            None if performance is None else Jsonb(dict(performance)),
        ],
    )
    return fetch_value(
        connection,
        """SELECT id FROM model_version
           WHERE name = %s AND weights_sha256 = %s AND preprocessing = %s""",
        [name, weights_sha256, preprocessing],
    )


def device_of_another_precision(
    connection: Connection, *, study: UUID, model_version: UUID, device: str
) -> str | None:
    """Return the device of a stored prediction that was computed in another precision, if any.

    A device names its precision where it is not float32 ("cpu bfloat16"). Until the transaction
    ends, no other worker asks this for the study: what is stored next is what was compared.
    """
    connection.execute("SELECT pg_advisory_xact_lock(7011, hashtext(%s))", [str(study)])
    found = connection.execute(
        """SELECT device FROM prediction
           WHERE study_id = %s AND model_version_id = %s
             AND (device LIKE '%% bfloat16') <> (%s LIKE '%% bfloat16') LIMIT 1""",
        [study, model_version, device],
    ).fetchone()
    return None if found is None else str(found[0])


def insert_prediction(
    connection: Connection,
    *,
    study: UUID,
    image: UUID,
    model_version: UUID,
    probability: float,
    overlay_key: str,
    overlay_sha256: str,
    device: str,
) -> bool:
    """Store an image's prediction; False when another worker was first."""
    done = connection.execute(
        """INSERT INTO prediction (study_id, image_id, model_version_id, probability, overlay_key,
               overlay_sha256, device)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (image_id, model_version_id) DO NOTHING""",
        [study, image, model_version, probability, overlay_key, overlay_sha256, device],
    )
    return done.rowcount == 1


def insert_case_predictions(
    connection: Connection, *, cases: list[UUID], model_version: UUID
) -> None:
    """Score the cases of which every image has its prediction: the mean of the probabilities.

    The call is BCC at or above the model's threshold. Runs after the images' predictions are
    committed, so that of two workers finishing one case the later one sees both halves.
    """
    connection.execute(
        """INSERT INTO case_prediction
               (study_id, case_id, model_version_id, probability, call, images)
           SELECT i.study_id, i.case_id, m.id, avg(p.probability),
                  CASE WHEN avg(p.probability) >= m.threshold THEN 'BCC' ELSE 'SK' END, count(*)
           FROM image i CROSS JOIN model_version m
           LEFT JOIN prediction p ON p.image_id = i.id AND p.model_version_id = m.id
           WHERE i.case_id = ANY(%s) AND m.id = %s
           GROUP BY i.study_id, i.case_id, m.id, m.threshold
           HAVING count(*) = count(p.id)
           ON CONFLICT (case_id, model_version_id) DO NOTHING""",
        [cases, model_version],
    )
