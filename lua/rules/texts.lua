-- Every sentence of the app: { Russian, English }. {name} is replaced by a value.
-- Plurals: {n|день|дня|дней} in Russian, {n|day|days} in English.

-- ---- problems, by code: what happened and what to do ----
local problems = {
  bad_request = { "Запрос не понят.", "The request makes no sense." },
  invalid_json = { "Тело запроса не является JSON.", "The request body is not JSON." },
  invalid_input = { "Проверьте поля.", "Check the fields." },
  invalid_filter = { "Проверьте фильтры.", "Check the filters." },
  invalid_cargo_id = { "Такого номера груза не бывает.", "That is no cargo number." },
  unauthorized = { "Войдите заново.", "Sign in again." },
  session_replaced = { "Вы вошли на другом устройстве.", "You signed in on another device." },
  init_data_invalid = { "Не удалось войти. Закройте и откройте приложение заново.",
    "Could not sign in. Close and open the app again." },
  init_data_expired = { "Вход устарел. Закройте и откройте приложение заново.",
    "The sign-in is too old. Close and open the app again." },
  forbidden = { "Нет доступа.", "No access." },
  forbidden_origin = { "Запрос пришёл с чужой страницы.", "The request came from another site's page." },
  not_found = { "Такой страницы нет.", "There is no such page." },
  cargo_not_found = { "Этот груз уже забрали.", "This cargo is taken." },
  method_not_allowed = { "Так сюда обращаться нельзя.", "This method is not allowed here." },
  unsupported_media_type = { "Нужен JSON или форма.", "Send JSON or a form." },
  rate_limited = { "Слишком часто. Снова через {seconds} с.", "Too fast, again in {seconds} s." },
  overloaded = { "Слишком много водителей сразу. Пробуем через 5 с.", "Too many drivers at once, trying in 5 s." },
  database_unavailable = { "Временный сбой. Попробуйте через минуту.", "A temporary fault. Try again in a minute." },
  upstream_unavailable = { "Биржа грузов не отвечает. Попробуйте позже.",
    "The cargo feed does not answer. Try again later." },
  upstream_auth_failed = { "Биржа грузов не отвечает. Попробуйте позже.",
    "The cargo feed does not answer. Try again later." },
  payment_required = { "Нужна подписка.", "A subscription is needed." },
  payments_disabled = { "Оплата временно закрыта. Действующая подписка работает.",
    "Payments are closed for now; your access still works." },
  unknown_tariff = { "Такого тарифа нет. Обновите страницу.", "There is no such tariff. Reload the page." },
  idempotency_key_reused = { "Этот ключ попытки занят другим платежом.",
    "This attempt's key belongs to another payment." },
  receipt_contact_required = { "Укажите почту или телефон для чека.", "Give an e-mail or a phone for the receipt." },
  gateway_unavailable = { "Платёжный сервис не отвечает. Платёж не потерян: проверим сами и напишем.",
    "Payment service is silent; nothing is lost, we will check and write." },
  payment_not_found = { "Такого платежа нет.", "There is no such payment." },
  payment_not_refundable = { "Этот платёж нельзя вернуть.", "This payment cannot be refunded." },
  refund_too_large = { "Столько вернуть нельзя.", "That is more than can be refunded." },
  refund_refused = { "Платёжный сервис отказал в возврате.", "The payment service refused the refund." },
  forbidden_sender = { "Отправитель не разрешён.", "This sender is not allowed." },
  bad_signature = { "Подпись не сходится.", "The signature does not match." },
  invalid_notification = { "Это не уведомление.", "This is no notification." },
  promo_not_found = { "Такого промокода нет. Проверьте буквы и цифры.", "No such code, check letters and digits." },
  promo_already_used = { "Вы уже применяли этот промокод.", "You have used this code." },
  promo_not_started = { "Промокод ещё не действует.", "This code does not work yet." },
  promo_expired = { "Срок промокода закончился.", "The code has expired." },
  promo_exhausted = { "Промокод разобрали.", "The code is used up." },
  promo_exists = { "Такой промокод уже есть.", "There is such a code already." },
  trial_not_available = { "Пробный период даётся один раз.", "The trial is given once." },
  access_token_not_found = { "Ключа доступа нет. Создайте его.", "There is no access key. Make one." },
  encryption_key_missing = { "Временный сбой. Мы уже знаем.", "A temporary fault. We know about it." },
  invalid_setting = { "Такое значение не подходит.", "That value does not fit." },
  not_ready = { "Сервер ещё не готов.", "The server is not ready yet." },
  plugin_failed = { "Сервис временно недоступен. Попробуйте ещё раз.", "The service is not available for a moment. Try again." },
  script_timeout = { "Ответ готовился слишком долго. Попробуйте ещё раз.", "The answer took too long. Try again." },
  rule_failed = { "Ошибка на сервере. Мы уже знаем.", "A server error. We know about it." },
  internal_error = { "Ошибка на сервере. Мы уже знаем.", "A server error. We know about it." },
}

-- ---- field errors, by code ----
local fields = {
  required = { "Заполните поле.", "This field is required." },
  string = { "Нужен текст.", "Text is expected." },
  integer = { "Нужно целое число.", "A whole number is expected." },
  number = { "Нужно число.", "A number is expected." },
  boolean = { "Нужно true или false.", "true or false is expected." },
  uuid = { "Нужен UUID.", "A UUID is expected." },
  url = { "Нужна ссылка http или https.", "An http or https link is expected." },
  phone = { "Проверьте номер: +7 и ещё 10 цифр.", "Check the number." },
  date = { "Нужна дата ГГГГ-ММ-ДД.", "A date YYYY-MM-DD is expected." },
  ids = { "Нужны номера через запятую без пробелов.", "Ids separated by commas, no spaces." },
  range = { "Нужны два целых числа: от,до.", "Two whole numbers: min,max." },
  range_order = { "«От» больше, чем «до».", "Min is over max." },
  object = { "Нужен объект JSON.", "A JSON object is expected." },
  one_of = { "Можно: {allowed}.", "Allowed: {allowed}." },
  min = { "Не меньше {min}.", "At least {min}." },
  max = { "Не больше {max}.", "At most {max}." },
  too_short = { "Не короче {min} знаков.", "At least {min} characters." },
  too_long = { "Не длиннее {max} знаков.", "At most {max} characters." },
  too_many = { "Не больше {max}.", "At most {max}." },
  repeated = { "Поле повторяется.", "The field is repeated." },
  format = { "Неверный вид.", "Wrong format." },
  invalid_text = { "Недопустимые знаки.", "Characters that are not allowed." },
  weight_volume = { "Пример: 15-65 или 1.5-9.", "For example 15-65 or 1.5-9." },
  weight_range = { "Вес от 0,1 до 1000 т.", "Weight 0.1 to 1000 t." },
  volume_range = { "Объём от 0,1 до 200 м³.", "Volume 0.1 to 200 m³." },
  own_origin = { "Вернуться можно только на наш сайт.", "Only a page of ours can be returned to." },
  email = { "Проверьте почту.", "Check the e-mail." },
  date_time = { "Нужны дата и время с часовым поясом.", "A date and time with a zone is expected." },
  in_the_past = { "Начало уже прошло.", "The start is in the past." },
  not_after_start = { "Конец должен быть позже начала.", "The end must be after the start." },
  promo_code = { "6–50 латинских букв и цифр.", "6 to 50 Latin letters and digits." },
  inn = { "ИНН: 10 или 12 цифр.", "Taxpayer number: 10 or 12 digits." },
}

-- ---- the Mini App ----
local app = {
  title = { "Грузы", "Cargo" },
  sections = { "Разделы", "Sections" },
  mode = { "Какие грузы", "Which cargo" },
  mode_my = { "Свои", "Mine" },
  mode_all = { "Все грузы", "All cargo" },
  filters = { "Фильтры", "Filters" },
  responses = { "Отклики", "Responses" },
  subscription = { "Подписка", "Subscription" },
  refresh = { "Обновить", "Refresh" },
  close = { "Закрыть", "Close" },
  back = { "Назад", "Back" },
  to_list = { "К списку", "To the list" },
  retry = { "Повторить", "Retry" },
  loading = { "Загружаем грузы", "Loading cargo" },
  slow_network = { "Медленная сеть, ещё загружаем…", "Slow network, still loading…" },
  script_lost = { "Приложение не загрузилось. Закройте и откройте его заново.",
    "The app did not load. Close and open it again." },
  no_script = { "Для работы нужен JavaScript.", "JavaScript is needed." },
  offline = { "Нет интернета. Список не обновляется.", "No internet; list not updating." },

  count = { "{loaded} из {total}", "{loaded} of {total}" },
  shown = { "Показано {loaded} из {total}", "{loaded} of {total} shown" },
  updated_at = { "обновлено {time}", "updated {time}" },
  show_more = { "Показать ещё {count}", "Show {count} more" },
  end_of_list = { "Это все грузы по вашим фильтрам", "That is everything for your filters" },
  no_price = { "ставка не указана", "no rate given" },
  no_date = { "дата не указана", "no date" },
  per_km = { "₽/км", "₽/km" },
  km = { "км", "km" },
  per_km_long = { "{price} {n|рубль|рубля|рублей} за километр", "{price} {n|rouble|roubles} per kilometre" },
  km_long = { "{n} {n|километр|километра|километров}", "{n} {n|kilometre|kilometres}" },
  cargo = { "Груз {id}", "Cargo {id}" },
  cargo_number = { "Груз № {id}", "Cargo no. {id}" },
  taken = { "Уже забрали", "Taken" },

  empty_my = { "Под вашу машину сейчас ничего нет", "Nothing for your truck now" },
  see_all = { "Смотреть все грузы", "See all cargo" },
  empty_filtered = { "По этим фильтрам грузов нет", "No cargo matches" },
  empty_all = { "Грузов сейчас нет", "No cargo now" },
  remove_filter = { "Убрать фильтр: ", "Remove filter: " },
  remove_start_point = { "Убрать город погрузки", "Drop the loading city" },
  remove_finish_point = { "Убрать город выгрузки", "Drop the unloading city" },
  remove_start_date = { "Убрать дату", "Drop the date" },
  remove_weight_volume = { "Убрать вес и объём", "Drop weight and volume" },
  remove_truck_types = { "Убрать кузов", "Drop the truck" },
  remove_load_types = { "Убрать загрузку", "Drop the loading side" },
  remove_price = { "Убрать ставку", "Drop the rate" },
  remove_price_per_km = { "Убрать ставку за км", "Drop the rate per km" },
  remove_distance = { "Убрать расстояние", "Drop the distance" },
  remove_owner_company = { "Убрать ИНН", "Drop the taxpayer number" },
  reset_all = { "Сбросить всё", "Reset everything" },
  stale = { "Биржа не отвечает. Грузы на {time}, часть могла уйти.",
    "Feed is down. As of {time}, some may be gone." },
  feed_down = { "Биржа грузов не отвечает. Попробуем сами через 20 с.",
    "The cargo feed does not answer. Retrying in 20 s." },

  reset = { "Сбросить", "Reset" },
  show_cargo = { "Показать грузы", "Show cargo" },
  from = { "Откуда", "From" },
  to = { "Куда", "To" },
  any_city = { "Любой город", "Any city" },
  radius = { "Радиус", "Radius" },
  radius_km = { "{km} км", "{km} km" },
  only_city = { "только город", "city only" },
  loading_day = { "Погрузка", "Loading" },
  today = { "Сегодня", "Today" },
  tomorrow = { "Завтра", "Tomorrow" },
  any_day = { "Любая", "Any" },
  date = { "Дата", "Date" },
  weight_volume = { "Вес / объём", "Weight / volume" },
  any = { "Любой", "Any" },
  own = { "Свой", "Own" },
  tonnes = { "т", "t" },
  cubic = { "м³", "m³" },
  tonnes_long = { "тонн", "tonnes" },
  cubic_long = { "кубометров", "cubic metres" },
  truck_types = { "Кузов", "Truck" },
  load_types = { "Загрузка", "Loading side" },
  more = { "Ещё", "More" },
  price_from = { "Ставка от, ₽", "Rate from, ₽" },
  per_km_from = { "₽/км от", "₽/km from" },
  distance_to = { "Расстояние до, км", "Distance up to, km" },
  inn = { "ИНН владельца", "Owner's taxpayer number" },
  clear = { "Очистить", "Clear" },
  cities = { "Города", "Cities" },
  city = { "город", "city" },
  region = { "регион", "region" },
  found = { "Найдено {n}", "Found {n}" },
  type_two = { "Введите хотя бы 2 буквы", "Type 2 letters" },
  no_city = { "Такого города нет в справочнике", "No such city" },
  cities_down = { "Справочник недоступен, попробуйте позже", "The dictionary is down, try later" },
  pick_city = { "Выберите город из списка", "Pick a city from the list" },

  local_time = { "время местное", "local time" },
  truck = { "Кузов", "Truck" },
  load = { "Загрузка", "Loading side" },
  weight = { "Вес и объём", "Weight and volume" },
  goods = { "Груз", "Goods" },
  partial_load = { "догруз", "part load" },
  round_trip = { "круговой рейс", "round trip" },
  comment = { "Комментарий", "Comment" },
  show_whole = { "Показать полностью", "Show everything" },
  contact = { "Контакт", "Contact" },
  call = { "Позвонить", "Call" },
  copy = { "Копировать", "Copy" },
  copied = { "Скопировано", "Copied" },
  shipper = { "Грузоотправитель", "Shipper" },
  inn_short = { "ИНН {inn}", "taxpayer no. {inn}" },
  posted = { "Размещён {time}", "Posted {time}" },
  number = { "№ {id}", "no. {id}" },
  open_source = { "Открыть на бирже", "Open at the exchange" },
  contact_locked = { "Телефон и отклик открываются с подпиской: {price} за {days} {days|день|дня|дней}.",
    "Phone and response come with a subscription: {price} for {days} {days|day|days}." },
  contact_locked_now = { "Телефон и отклик открываются с подпиской.", "Phone and response come with a subscription." },
  unlock = { "Открыть контакт и отклик", "Unlock contact and response" },
  have_promo = { "У меня есть промокод", "I have a promo code" },
  respond = { "Откликнуться", "Respond" },
  resp_name = { "Имя", "Name" },
  resp_phone = { "Телефон", "Phone" },
  resp_phone_note = { "необязательно; логист увидит ваш Telegram в любом случае",
    "optional; the dispatcher sees your Telegram anyway" },
  resp_from = { "Отклик от: {who} · Изменить", "Response from: {who} · Change" },
  resp_when = { "отправлен {time}", "sent {time}" },
  resp_title = { "Отклики", "Responses" },
  resp_all = { "Все", "All" },
  resp_waiting = { "Ждут ответа", "Waiting" },
  resp_accepted = { "Приняты", "Accepted" },
  resp_more = { "Показать ещё", "Show more" },
  resp_news = { "{n|новый ответ|новых ответа|новых ответов}", "new {n|answer|answers}" },
  resp_none_such = { "Таких откликов нет.", "No such responses." },
  resp_empty = { "Вы ещё не откликались. Откройте груз и нажмите «Откликнуться».", "No responses yet." },

  description = { "Грузы для водителей: список, контакты, отклики в Telegram.",
    "Cargo for drivers: list, contacts and responses in Telegram." },
  was = { "было {price}", "was {price}" },
  recent = { "Недавние", "Recent" },
  send_response = { "Отправить отклик", "Send response" },
  response_step = { "Отклик на груз", "Response to a cargo" },
  not_sent = { "Не отправлено: сервер не ответил. Нажмите ещё раз.", "Not sent: the server did not answer. Press again." },

  access_none = { "Подписки нет", "No subscription" },
  access_until = { "Подписка активна до {date}", "Subscription active until {date}" },
  access_ended = { "Подписка закончилась {date}", "The subscription ended on {date}" },
  days_left = { "осталось {days} {days|день|дня|дней}", "{days} {days|day|days} left" },
  access_gives = { "Телефоны и контакты по всем грузам, отклики логистам одним нажатием. Список и карточки грузов бесплатны.",
    "Phones and contacts of every cargo, responses to dispatchers in one press. The list and cargo cards are free." },
  tariffs = { "Тарифы", "Tariffs" },
  a_month = { "{price} в месяц", "{price} a month" },
  discount = { "−{percent} %", "−{percent}%" },
  one_charge = { "Деньги спишутся один раз, автопродления нет.", "One charge, no auto-renewal." },
  pay = { "Оплатить {price}", "Pay {price}" },
  payments_off = { "Оплата временно закрыта. Действующая подписка работает.",
    "Payments are closed for now; your access still works." },
  receipt_email = { "Почта для чека", "E-mail for the receipt" },
  promo = { "Промокод", "Promo code" },
  promo_apply = { "Применить", "Apply" },
  promo_added = { "Добавили {days} {days|день|дня|дней}. Подписка до {date}.",
    "{days} {days|day|days} added, until {date}." },
  history = { "История платежей", "Payment history" },
  history_empty = { "Платежей ещё не было.", "No payments yet." },
  pay_waiting = { "Ждём оплату {price}", "Waiting for {price}" },
  pay_waiting_why = { "Оплатите и вернитесь сюда: статус обновится сам.",
    "Pay and come back here: the status updates by itself." },
  pay_go = { "Перейти к оплате", "Go to payment" },
  pay_again = { "Открыть оплату ещё раз", "Open payment again" },
  pay_check = { "Проверить", "Check" },
  pay_cancel = { "Отмена", "Cancel" },
  pay_long = { "Деньги ушли, а статуса нет? Проверим сами и напишем в бот. Платёж № {id}",
    "Money gone, no status? We will check and write to you in the bot. Payment no. {id}" },
  pay_paid = { "Оплачено. Подписка до {date}.", "Paid until {date}." },
  pay_paid_soon = { "Оплачено. Подписка включается.", "Paid. The subscription is being switched on." },
  pay_failed = { "Оплата не прошла. Попробуйте другой способ.", "Payment failed, try another way." },
  pay_refunded = { "Деньги возвращены.", "The money was returned." },
  pay_other = { "Выбрать другой тариф", "Choose another tariff" },
  pay_state_pending = { "ждём", "waiting" },
  pay_state_succeeded = { "оплачено", "paid" },
  pay_state_canceled = { "не прошло", "failed" },
  pay_state_refunded = { "возврат", "refunded" },
  access_key = { "Ключ доступа", "Access key" },
  access_key_why = { "Ключ для ваших программ. Покажем один раз, скопируйте.", "Key for your own tools, shown once." },
  access_key_show = { "Показать ключ", "Show the key" },
  returned = { "Оплата принята в обработку. Вернитесь в Telegram.", "The payment is being processed. Return to Telegram." },
  to_telegram = { "Вернуться в Telegram", "Return to Telegram" },

  open_bot = { "Открыть бота", "Open the bot" },
  no_start = { "Нужен вход через бота", "Start from the bot" },
  refused_title = { "Вход не выполнен", "Not signed in" },
  refused = { "Не удалось войти. Закройте и откройте приложение заново.", "Could not sign in. Close and open again." },
  replaced = { "Здесь сеанс закончен: у водителя один сеанс.", "The session here has ended: a driver has one session." },
  open_in_telegram = { "Откройте в Telegram", "Open in Telegram" },
  open_in_telegram_why = { "Приложение работает внутри Telegram.", "The app works inside Telegram." },
  open_by_menu = { "Откройте приложение кнопкой меню в чате с ботом.",
    "Open the app by the menu button in the bot chat." },
  replaced_title = { "Вы вошли на другом устройстве", "You signed in on another device" },
  maintenance = { "Технические работы", "Maintenance" },
  busy = { "Слишком много водителей сразу. Пробуем через 5 с.", "Too many drivers at once, trying in 5 s." },
  busy_title = { "Сервер занят", "The server is busy" },
  continue_here = { "Продолжить здесь", "Continue here" },
  dev_login = { "Войти как водитель", "Sign in as driver" },
  dev_sign_in = { "Войти", "Sign in" },
  dev_note = { "Только для разработки на этой машине.", "For development on this machine only." },
  server_silent = { "Сервер не ответил. Нажмите ещё раз.", "The server did not answer. Press again." },
}

-- ---- what the bot says ----
local bot = {
  greeting = { "Откройте WebApp:", "Open the WebApp:" },
  payment_paid = { "Оплачено. Подписка до {date}.", "Paid until {date}." },
  open_app = { "Открыть приложение", "Open the app" },

  -- to dispatchers, in Russian
  response = { "🚚 Отклик водителя{mark}\nГруз: {cargo_id}\nИмя: {name}\nТелефон: {phone}\nTelegram ID: {driver_id}",
    "🚚 Driver's response{mark}\nCargo: {cargo_id}\nName: {name}\nPhone: {phone}\nTelegram ID: {driver_id}" },
  repeated = { " (повторно)", " (again)" },
  response_state = { "\n\nСтатус: {status}{by}", "\n\nStatus: {status}{by}" },
  button_accept = { "Принять", "Accept" },
  button_reject = { "Отклонить", "Refuse" },
  button_complete = { "Завершить", "Complete" },
  pressed = { "Отклик: {status}", "Response: {status}" },
  pressed_already = { "Уже: {status}", "Already: {status}" },
  pressed_illegal = { "Так нельзя: отклик сейчас «{status}».", "Not possible: the response is “{status}” now." },
  pressed_unknown = { "Эта кнопка больше не действует.", "This button no longer works." },
  pressed_elsewhere = { "Отвечать можно только в чате откликов.", "Only the chat of responses may answer." },

  -- to drivers
  driver_status = { "Статус по грузу {cargo_id}: {status}\n{more}", "Status of cargo {cargo_id}: {status}\n{more}" },
  status_queued = { "Отправляется", "Sending" },
  status_sent = { "Отправлен", "Sent" },
  status_accepted = { "Принят", "Accepted" },
  status_rejected = { "Отказ", "Refused" },
  status_completed = { "Завершён", "Done" },
  status_failed = { "Не доставлен", "Not delivered" },
  status_line_queued = { "Передаём логисту. Можно закрыть приложение.", "Passing on; you may close the app." },
  status_line_sent = { "Логист получил. Ответ придёт сюда и в чат с ботом.",
    "Dispatcher has it; the answer comes here and to the bot chat." },
  status_line_accepted = { "Позвоните логисту и договоритесь о погрузке.",
    "Call the dispatcher and agree on loading." },
  status_line_rejected = { "Логист отказал. Смотрите другие грузы.", "Refused. See other cargo." },
  status_line_completed = { "Рейс завершён.", "Trip done." },
  status_line_failed = { "Не смогли передать отклик. Позвоните логисту.",
    "Could not pass it on. Call the dispatcher." },
}

local MONTHS = {
  ru = { "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября",
    "декабря" },
  en = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December" },
}

-- Interface languages of Telegram whose readers get Russian; everyone else gets English.
local RUSSIAN_READERS = {
  ru = true, be = true, uk = true, kk = true, ky = true, uz = true, tg = true, tk = true, hy = true, az = true,
  ka = true, ro = true, mo = true, tt = true, ba = true, cv = true,
}

--- "ru" or "en" for a Telegram language code; Russian when unknown.
local function language_of(code)
  if type(code) ~= "string" or code == "" then return "ru" end
  return RUSSIAN_READERS[code:lower():match "^%a+" or ""] and "ru" or "en"
end

-- Which form of a word goes with a number: 1 день, 2 дня, 5 дней.
local function russian_form(n)
  local last, two = n % 10, n % 100
  if two >= 11 and two <= 14 then return 3 end
  if last == 1 then return 1 end
  return last >= 2 and last <= 4 and 2 or 3
end

local function plural(n, forms, language)
  local list = {}
  for form in forms:gmatch "[^|]+" do list[#list + 1] = form end
  local index = language == "en" and (n == 1 and 1 or 2) or russian_form(n)
  return list[index] or list[#list]
end

local function fill(sentence, values, language)
  sentence = sentence:gsub("{(%w+)|([^}]+)}", function(name, forms)
    return plural(tonumber(values[name]) or 0, forms, language)
  end)
  return (sentence:gsub("{([%w_]+)}", function(name)
    local value = values[name]
    return value ~= nil and tostring(value) or ""
  end))
end

local function choose(list, key, language, values)
  local pair = list[key]
  if not pair then return nil end
  return fill(language == "en" and pair[2] or pair[1], values or {}, language)
end

return {
  problems = problems, fields = fields, app = app, bot_texts = bot,
  language_of = language_of,
  month = function(number, language) return (MONTHS[language] or MONTHS.ru)[number] end,
  plural = plural,
  problem = function(code, language, values)
    return choose(problems, code, language, values) or choose(problems, "bad_request", language)
  end,
  field = function(code, language, values)
    return choose(fields, code, language, values) or choose(fields, "format", language)
  end,
  say = function(key, language, values)
    return choose(app, key, language, values) or error("there is no text '" .. tostring(key) .. "'", 2)
  end,
  bot = function(key, language, values)
    return choose(bot, key, language, values) or error("the bot has no text '" .. tostring(key) .. "'", 2)
  end,

  examples = {
    { "language_of", { "en-GB" }, "en" },
    { "language_of", { "be" }, "ru" },
    { "month", { 12, "ru" }, "декабря" },
    { "month", { 12, "en" }, "December" },
    { "plural", { 22, "день|дня|дней", "ru" }, "дня" },
    { "plural", { 11, "день|дня|дней", "ru" }, "дней" },
    { "field", { "min", "ru", { min = 1 } }, "Не меньше 1." },
  },
}
