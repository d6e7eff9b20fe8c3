'use strict';
// The database of a product that has sold for two years, made by generate_series in real proportions: for each million
// payments 200,000 drivers, 3 million lines of history, 250,000 notifications, a million lines of the audit trail.
// Triggers are off while it is filled: what they would compute is written as it would be.

const DRIVER = 5000000000; // and up: nobody a test logs in as
const SPAN = "interval '730 days'";

const NAMES = ['Иван', 'Пётр', 'Сергей', 'Алексей', 'Николай', 'Михаил', 'Олег', 'Рустам', 'Ашот', 'Тимур', 'Женя', 'Юрий'];

/** When the n-th of `of` rows came to be: evenly over the span, the newest last. */
const moment = (of) => `now() - ${SPAN} * (1 - n / ${of}.0)`;

const statements = {
  drivers: ({ drivers }) => `
    INSERT INTO drivers (id, first_name, last_name, username, language_code, unreachable_at, created_at, last_login_at)
    SELECT ${DRIVER} + n, CASE WHEN n % 500 = 0 THEN 'Ярополк' ELSE (ARRAY['${NAMES.join("','")}'])[1 + n % ${NAMES.length}] END, 'Водителев', CASE WHEN n % 5 < 3 THEN 'driver' || n END, 'ru',
      CASE WHEN n % 50 = 0 THEN now() END, ${moment(drivers)}, now() - ${SPAN} * random() * (1 - n / ${drivers}.0)
    FROM generate_series(1, ${drivers}) AS n`,

  // 70 of 100 are paid, 23 canceled, 3.5 never made, 3.5 given back wholly or partly; the newest 300 still wait.
  payments: ({ payments, drivers }) => `
    INSERT INTO payments (id, driver_id, tariff, days, amount_kopecks, status, gateway_id, confirmation_url, return_url,
      superseded_at, refunded_kopecks, paid_at, checks, created_at, updated_at)
    SELECT gen_random_uuid(), ${DRIVER} + 1 + n % ${drivers}, tariff, days, kopecks, status,
      CASE WHEN status <> 'failed' THEN gen_random_uuid()::text END, 'https://yoomoney.ru/checkout/payments/v2/contract?orderId=' || n,
      'https://cargo.example/payments/return?payment=' || n, NULL,
      CASE status WHEN 'refunded' THEN kopecks WHEN 'partially_refunded' THEN kopecks / 4 ELSE 0 END,
      CASE WHEN status IN ('succeeded', 'refunded', 'partially_refunded') THEN at + interval '4 minutes' END, 1, at, at
    FROM (SELECT n, ${moment(payments)} AS at,
        (ARRAY['1_month', '3_months', '6_months', '12_months'])[kind] AS tariff, (ARRAY[30, 90, 180, 365])[kind] AS days,
        (ARRAY[49900, 129900, 239900, 399900])[kind] AS kopecks,
        CASE WHEN n > ${payments} - 300 THEN 'pending' WHEN lot < 700 THEN 'succeeded' WHEN lot < 930 THEN 'canceled'
          WHEN lot < 965 THEN 'failed' WHEN lot < 990 THEN 'refunded' ELSE 'partially_refunded' END AS status
      FROM (SELECT n, n::bigint * 7919 % 1000 AS lot, 1 + (n * 31 % 10) / 6 + (n * 17 % 20) / 19 * 2 AS kind
        FROM generate_series(1, ${payments}) AS n) AS drawn) AS made ORDER BY n`,

  payment_history: () => `
    INSERT INTO payment_history (payment_id, event, old_status, new_status, details, created_at)
    SELECT id, event, CASE WHEN step = 3 THEN 'pending' END, CASE WHEN step = 3 THEN status END, '{"cause": "webhook"}',
      created_at + step * interval '1 minute'
    FROM payments, (VALUES (1, 'created'), (2, 'gateway_created'), (3, 'webhook')) AS steps (step, event)
    ORDER BY created_at, step`,

  refunds: () => `
    INSERT INTO refunds (id, payment_id, gateway_id, amount_kopecks, status, reason, requested_by, created_at, updated_at)
    SELECT gen_random_uuid(), id, gen_random_uuid()::text, refunded_kopecks, 'succeeded', 'по просьбе водителя', 'olga',
      paid_at + interval '1 day', paid_at + interval '1 day'
    FROM payments WHERE refunded_kopecks > 0`,

  payment_inbox: ({ payments }) => `
    INSERT INTO payment_inbox (event, object_id, status, body, address, received_at, last_received_at, attempts, next_try_at, outcome)
    SELECT 'payment.' || CASE status WHEN 'canceled' THEN 'canceled' ELSE 'succeeded' END, gateway_id,
      CASE status WHEN 'canceled' THEN 'canceled' ELSE 'succeeded' END,
      CASE WHEN created_at > now() - interval '180 days' THEN repeat('{"type": "notification"} ', 40) END, '185.71.76.5',
      created_at + interval '5 minutes', created_at + interval '5 minutes', 1, NULL,
      CASE WHEN random() < 0.0005 THEN 'mismatch' ELSE 'applied' END
    FROM payments WHERE gateway_id IS NOT NULL AND status <> 'pending' ORDER BY created_at DESC LIMIT ${payments} / 4`,

  subscription_grants: () => `
    INSERT INTO subscription_grants (driver_id, source, source_id, days, granted_at, expires_before, expires_after)
    SELECT driver_id, 'payment', id::text, days, paid_at, NULL, paid_at + days * interval '1 day'
    FROM payments WHERE paid_at IS NOT NULL
    UNION ALL SELECT driver_id, 'refund', refunds.id::text, 0, refunds.created_at, paid_at, paid_at
    FROM refunds JOIN payments ON payments.id = payment_id ORDER BY 5`,

  subscriptions: () => `
    INSERT INTO subscriptions (driver_id, expires_at, source)
    SELECT driver_id, max(expires_after), CASE WHEN driver_id % 40 = 0 THEN 'gift' WHEN driver_id % 10 = 1 THEN 'promo'
      WHEN driver_id % 5000 = 2 THEN 'trial' ELSE 'payment' END
    FROM subscription_grants GROUP BY driver_id`,

  promo_codes: ({ payments }) => `
    INSERT INTO promo_codes (code, action, days, valid_from, valid_until, max_uses, uses, created_by, created_at)
    SELECT 'CODE' || lpad(n::text, 8, '0'), 'extend_30', 30, at, at + interval '60 days', 1000, n % 200, 'olga', at
    FROM (SELECT n, ${moment(payments / 500)} AS at FROM generate_series(1, ${payments / 500}) AS n) AS made`,

  promo_uses: ({ payments, drivers }) => `
    INSERT INTO promo_uses (promo_code_id, driver_id, days_added, used_at)
    SELECT 1 + n % ${payments / 500}, ${DRIVER} + 1 + n % ${drivers}, 30, ${moment(payments / 10)}
    FROM generate_series(1, ${payments / 10}) AS n ON CONFLICT DO NOTHING`,

  responses: ({ payments, drivers }) => `
    INSERT INTO responses (driver_id, cargo_id, code, status, cargo, phone, name, created_at, updated_at)
    SELECT ${DRIVER} + 1 + n % ${drivers}, (400000 + n)::text, substr(md5(n::text), 1, 20),
      (ARRAY['sent', 'accepted', 'rejected', 'completed'])[1 + n % 4], '{"title": "Москва → Казань"}', '+79991112233', 'Иван',
      ${moment(Math.floor(payments / 3))}, ${moment(Math.floor(payments / 3))}
    FROM generate_series(1, ${Math.floor(payments / 3)}) AS n`,

  sessions: ({ drivers }) => `
    INSERT INTO sessions (id, driver_id, created_at, address, agent)
    SELECT gen_random_uuid(), id, last_login_at, '10.0.0.1', 'Telegram-Android' FROM drivers LIMIT ${drivers}`,

  outbox: ({ payments, drivers }) => `
    INSERT INTO outbox (kind, chat_key, payload, state, attempts, sent_at, tried_at, last_error, created_at)
    SELECT (ARRAY['response', 'driver_message', 'payment_notice'])[1 + n % 3], (${DRIVER} + 1 + n % ${drivers})::text, '{"text": "Груз 1"}',
      CASE WHEN n % 1000 = 0 THEN 'dead' ELSE 'sent' END, 1, at, at, CASE WHEN n % 1000 = 0 THEN 'telegram_refused' END, at
    FROM (SELECT n, now() - interval '180 days' * (1 - n / (${payments} / 4.0)) AS at
      FROM generate_series(1, ${payments} / 4) AS n) AS made`,

  // Of people, the gateway and the system in the shares of a busy shop.
  audit_log: ({ audit, drivers }) => `
    INSERT INTO audit_log (created_at, actor_type, actor_id, action, target_type, target_id, details, address, agent, request_id)
    SELECT at, (ARRAY['driver', 'gateway', 'system', 'admin', 'command', 'telegram'])[who],
      CASE who WHEN 1 THEN driver::text WHEN 4 THEN (ARRAY['olga', 'boss', 'guest'])[1 + n % 3] END,
      (ARRAY['payment.created', 'payment.succeeded', 'subscription.extended', 'subscription.extended', 'setting.changed', 'response.decided'])[who],
      (ARRAY['payment', 'payment', 'driver', 'driver', 'setting', 'response'])[who],
      CASE WHEN who < 3 THEN md5(n::text)::uuid::text WHEN who < 5 THEN driver::text WHEN who = 5 THEN 'tariffs' ELSE md5(n::text)::uuid::text END,
      '{"days": 30, "tariff": "1_month"}', '10.0.0.1', 'Telegram-Android', md5(n::text)
    FROM (SELECT n, ${moment(audit)} AS at, ${DRIVER} + 1 + n % ${drivers} AS driver,
        CASE WHEN lot < 550 THEN 1 WHEN lot < 850 THEN 2 WHEN lot < 940 THEN 3 WHEN lot < 980 THEN 4 WHEN lot = 999 THEN 5 ELSE 6 END AS who
      FROM (SELECT n, n::bigint * 7919 % 1000 AS lot FROM generate_series(1, ${audit}) AS n) AS drawn) AS made ORDER BY n`,
};

/** Fill a migrated database; `told(table, seconds)` hears of each. The counts should be multiples of 10,000. */
async function fillTables(postgres, { payments, audit = payments, told = () => {} }) {
  const counts = { payments, audit, drivers: payments / 5 };
  await postgres.query("SELECT audit_log_add_month((now() - n * interval '1 month')::date) FROM generate_series(1, 24) AS n");
  for (const [table, statement] of Object.entries(statements)) {
    const began = Date.now();
    await postgres.query(`SET session_replication_role = replica; ${statement(counts)}`);
    told(table, (Date.now() - began) / 1000);
  }
  await postgres.query('VACUUM ANALYZE');
}

module.exports = { DRIVER, fillTables };
