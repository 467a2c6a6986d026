"""Two sets of chat messages, written by whoever mended redaction after two others; misses on them were mended too.

A slot `{x}` of a kind that is no secret is named `{_x}`; `tests/train/redaction_chat_values.py` fills them.
"""

THIRD_ENGLISH = r"""
dude whats ur number again? mine is {phone}
sorry wrong thread, the electrician is {phone_gb}
grandpa got a mobile finally: {phone_gb}
pls phone me asap {phone}
{phone} (work)
the clinic moved, now its {phone}, ext. {phone_extension}
you can also try {phone_abroad} but it's expensive
my flatmate's number in case: {phone_au}
2 numbers: {phone} and {phone}
who has {phone}?? it keeps calling
ICE {phone_gb}
shoot an email over to {email}
{email} is what i use for everything
invite me: {email}
can you add {email} to the doc
best way to get me is {email_spelled}
netflix's under {email}
the contract needs to reach {email} by friday
lemme give you my card, {card}, {_exp}, {code_cvv}
put it on {card}
tap this in: {card} / {_exp} / {code_cvv}
amex no: {card_amex}
new card number {card}, old one's cancelled
deposit goes into {iban}
ok my iban's {iban}
can you pay rent to {iban} today
monzo: {account} {account_sort}
account number's {account} and the sort code's {account_sort}
checking acct {account_us}, routing {account_routing}
we're at {address} if u wanna drop by
sending flowers to {address_gb}
crash at mine, {address_gb}
garage sale at {address} saturday
new office: {address}
he got a house on {address_small}
can u check if {address} is on the market
turn left and it's {address_gb}
my parents live at {address}
mail the check to {address_box}
apartment's in {address_abroad}
scan & join: discord.gg/{link_token}
new group, old one got spammed discord.gg/{link_token}
webinar https://teams.microsoft.com/l/meetup-join/{link_token}
here's the gcal/meet: https://teams.microsoft.com/l/meetup-join/{link_token}
slides → https://disk.yandex.ru/d/{link_token}
upload your pics here https://we.tl/t-{link_token}
it says go to https://app.notely.io/login?token={link_token} within 15 min
invoice is at https://media.s3.amazonaws.com/doc.pdf?X-Amz-Signature={link_token}
https://clck.ru/{link_token} legit?
gitlab is on https://deploy:{link_token}@git.example.com/repo.git
new netflix password {password}
hbo password: {password} dont change it
the password to my laptop is {password}
its password: {password}
user {_login}, password {password}
pwd for the pdf: {password}
wifi name SKY{_last}, password {password}
wifi here is {password}
the wifi code is {password}
pw's {password}
my password was {password} and i got hacked lol
set it to {password} as temporary password
login details: {_login} / {password}
temp pass {password} change it after
root password={password}
here you go\nlogin: {_login}\npw: {password}
same password as always, {password}
ur acc password is {password} right
{code} is your verification code for Discord
Your Dropbox security code is {code}.
Use verification code {code} for Microsoft authentication.
Wells Fargo: use {code} to sign on. We'll never call you for it
Signal: your registration code is {code_dashed}. Do not share
OTP for txn of INR 4500 is {code}
Citi ID code: {code}
{code} is your one time password to proceed on Zomato
Booking.com: {code} is your PIN
Your Steam verification code is {code_guard}
enter code {code} to continue
it wants a code, i got {code}
code is {code_four} hurry
whats my 2fa code? its {code}
use pin {code_four} for the card
the pin's {code_four}
pin number {code_four}
sim pin is {code_four}
my bike lock code is {code_four}
storage unit code: {code_four}
gate code is {code_gate} after 10pm
punch in {code_four} on the keypad
shed lock {code_four}
key's in the lockbox, code {code_four}
safe combo is {code_combination}
heres my api key: {key}
revoke {key} please
i committed {key} by accident
token {key} works?
seed words: {seed}
my metamask phrase is {seed}
cd key {license}
office license: {license}
box is at {ip}
add {ip} to the allowlist
ip addr {ip}
passport: {id}
visa form needs passport no {id}
ssn's {ssn}
my SSN is {ssn} for the W-4
driver licence: {id_driver}
NI no. {id_nino}
car's plate is {plate}
plates: {plate}
vin# {plate_vin}
my booking code is {booking}
eth: {wallet}
we are here {location}
""".strip().split("\n")

THIRD_RUSSIAN = r"""
слушай, потеряла телефон, пиши пока на {phone_ru}
бабушкин номер {phone_ru}
это Лена, мой новый {phone_ru}
скинь свой номер, мой {phone_ru}
{phone_ru} водитель
врач {phone_land}
управляшка {phone_land} доб. {phone_extension}
мой мтс {phone_short}
переведи по сбп {phone_ru}
деньги на {phone_ru} сбер, Анна К.
звонили с {phone_land}, не бери
в ереване мой {phone_abroad}
домашний {phone_city}
вышли счет на {email}
рабочая почта {email}, личная {email}
мой имейл: {email}
регистрируй на {email}
{email} вот сюда
почта: {email_russian}
кидай на карту {card}
мамина карта {card}
{card} тинькофф
номер {card}, до {_exp}, код {code_cvv}
реквизиты карты {card} {_exp} {code_cvv}
цвв {code_cvv}
мой iban {iban}
р/с {account_russian} в альфе
номер счёта: {account_russian}
заезжай на {address_ru}
{address_ru} это мой дом
отправь сдэком на {address_ru}
снимаю на {address_ru}
доставку на {address_russian_small}
адрес роддома {address_ru}
соседи с {address_ru}
адрес: {address_ru}, код на двери {code_door}
{address_ru}\nдомофон {code_door}
код от домофона {code_door}
подъезд {_floor}, домофон {code_door}, этаж {_floor}
ссылка-приглашение discord.gg/{link_token}
добавляйся https://t.me/+{link_token}
встреча завтра https://us02web.zoom.us/j/{link_meeting}?pwd={link_token}
папка с фото https://we.tl/t-{link_token}
анкета https://we.tl/t-{link_token}
вход по ссылке https://foo.com/reset-password/{link_token}
сохрани https://media.s3.amazonaws.com/doc.pdf?X-Amz-Signature={link_token}
вот здесь сидим https://bit.ly/{link_token}
пароль от инсты {password}
пароль от компа: {password}
пароль {password} не забудь
пароль на вход {password}
логин {_login}, пароль {password}
данные для входа: {_login} / {password}
вайфай {password}
пароль вайфая {password}
сеть Keenetic-{_last}, пароль {password}
мой пароль - {password}
поменял пароль, теперь {password}
пароль от кинопоиска у меня {password}
почта {email}, пароль {password}
врем пароль {password}
пин карты {code_four}
пин-код {code_four}
пин код {code_four}
код от карты {code_four}
код от смс {code_four}
пришел код {code}
код подтверждения {code_four}
Ваш код: {code}. Никому его не сообщайте
Код для входа: {code_five}
{code_four} — код подтверждения Яндекс Такси
МТС: код {code_four} для входа в личный кабинет
Сбер: никому не говорите код {code_five}. Вход в СберБанк Онлайн
Мегамаркет. Код подтверждения: {code_four}
Код активации {code}
код в озон {code_five}
скажи на выдаче {code_four}, это код
код разблокировки телефона {code_four}
код от ячейки {code_four}
сейф {code_four}
код замка {code_four}
код от ворот {code_gate}
апи ключ {key}
бот токен {key}
секрет {key}
сид {seed}
ключ продукта {license}
айпишник {ip}
поставь днс {ip}
паспорт: {id_russian}
мои данные: паспорт {id_russian}, снилс {id_snils}
данные паспорта {id_russian}
инн мой {id_inn}
снилс ребенка {id_snils}
загранпаспорт: {id_travel}
номер ву {id_driver_ru}
машина {plate_ru}
гос номер {plate_ru}
бронирование {booking}
перевод на {wallet}
геолокация {location}
""".strip().split("\n")

THIRD_NOTHING = r"""
that cost me 89.99 plus tax
be there 19:45
19.45 works too
lets say 21/06/2025
june 21st 2025
score was 21-14 at half
i've got 3 exams in 2 days
our flight AA1234 is at 6
page 245 of 512
room 305, second floor
bus 38 then tube
windows 11 pro
rtx 5070 ti 16gb
galaxy s23 ultra 512gb
version 10.15.7
py3.11
chapter 4 verse 12
1,250,000 views
15k steps today
about 2500 kcal
8 hours sleep
4 hour drive from here
20 minute walk
3 bedroom flat for 1500
a 12 inch pizza
i have 1200 unread emails
my code has 3 bugs
the code is broken again
can you review my code
i forgot the pin
the password is the problem
what's the password again
reset your password please
pass me the ball
passed with 85
login doesn't work
the wifi sucks here
wifi is 300 mbps
zip code or postcode?
the address is wrong
emailed you twice
call you in 20
text me at 5
my phone is on 5%
card got declined
account is empty
5 guys burger
7 eleven
blink-182 on tour
24/7 gym
50-50
http 502 error
error code 0x80070057
port 443
line 120
issue #4521
PR 1892
https://www.theguardian.com/world/2025/jan/12/some-news-story
https://www.youtube.com/watch?v=abcDEF12345
https://en.wikipedia.org/wiki/Python_(programming_language)
https://github.com/torvalds/linux/pull/123
IMG_4521.HEIC
budget_2025_final.xlsx
#tbt2015
2020 was wild
the 1980s
he's 35 and she's 32
5'10
10 out of 10
1/4 cup sugar
350 degrees for 25 min
world cup 2026
super bowl 59
formula 1 in 2021
win 3-0
6-4 7-6
ISBN 978-0-306-40615-7
over 9000
3.5 stars
2x4
10^9
pi is 3.14159
42
1234
100000
order 66
unit 3 test tomorrow
flat tire
square up
drive safe
park it
at the gate in 5
locked out lol
safe travels
gate 42 boarding
locker room talk
alarm at 6
set alarm for 7:30
unlock achievement 50
combo 3 with fries
key lime pie 2
token gesture
this secret is safe
backup 3 files
entry level 2 jobs
entry fee 20
за 2500 взял
скидка 30%
в 18:45 у входа
15.06.2025
15 июня
с 9 до 18
через 20 мин
на 3 дня
3 комнатная
15 минут пешком
дом 3 этажа
автобус 85
маршрут 12
поезд 56
вагон 5 место 12
кабинет 214
страница 56
глава 12
серия 8
сезон 2 серия 5
матч 2:1
3:0 выиграли
100 рублей
15к
1,5 млн
90 кг
175 см
38.6 температура
120/80
айфон 15 про
ps5
версия 3.2.1
1990 год
в 2015
90-е
23 года
школа 57
лицей 1535
группа 302
задание 5
упр 214
ст 228
пункт 3.2
код не работает
код не приходит
напиши код
мой код на питоне 200 строк
пароль забыла
пароль сбросила
пароль неправильный
какой пароль от вайфая?
вайфай не работает
логин забыл
номер занят
телефон сел
позвони через 5 минут
карта заблокирована
счет пришел 3500
счет за воду 1200
адрес пришли
почта не открывается
смс пришла
пришло 5000
пришло 200 человек
пришли в 8
цифры не сходятся
сейф пустой
замок сломан
чемодан 20 кг
ячейка занята
ворота закрыты
кейс 5 задач
ключ 10 на 12
ключ потерял
машина 2015 года
машина за 800к
номера в отеле по 5000
права с 2010
паспорт получил в 2020
бронь 2 номера
квартира 45 м
квартира 45 квадратов
улица пустая
площадь 60 м
ул. ничего не понял
проспект мира метро
на проспекте пробка 7 баллов
доступ с 9
аккаунт 2 дня как
100500
33 коровы
https://www.rbc.ru/politics/12/05/2025/682abc
https://www.youtube.com/watch?v=zzz111YYY
https://pikabu.ru/story/kot_12345678
""".strip().split("\n")

FOURTH_ENGLISH = r"""
any1 got a spare charger? im on {phone}
the locksmith picked up, {phone_gb}, coming at 6
put me down as emergency: {phone}
ping me on viber {phone_abroad}
ok so new number who dis lol {phone}
nurse said to ring back on {phone_gb} option 2
hotline is {phone} ext {phone_extension}
my sister's in sydney {phone_au}
telegram only pls {phone_abroad}
dad {phone_gb} mum {phone_gb}
could you drop {email} a line
send receipts here {email}
my work mail bounced, {email} instead
skype name's {email}
u can find me at {email_spelled}
my dad's card: {card} valid {_exp} code {code_cvv}
hotel wants a card, give them {card}
company amex {card_amex}
card on file {card_masked}
pls pay into {iban} by monday
landlord's IBAN: {iban}
sort {account_sort} acc {account}
acct# {account_us}
the address you want is {address}
leave it with the neighbours at {address_gb}
she's at {address} now
bbq at ours, {address_gb}!
we're at {address_small} btw
parking behind {address_gb}
deliver: {address}
write me at {address_box}
we rented a place on {address_abroad}
my discord https://t.me/+{link_token}
everyone hop in discord.gg/{link_token}
call's here now https://teams.microsoft.com/l/meetup-join/{link_token}
agenda https://we.tl/t-{link_token}
pls sign https://disk.yandex.ru/d/{link_token}
open this on your phone https://app.notely.io/login?token={link_token}
backup of the site https://media.s3.amazonaws.com/doc.pdf?X-Amz-Signature={link_token}
https://clck.ru/{link_token} this place
try https://deploy:{link_token}@git.example.com/repo.git in the browser
i use {password} for everything
the new password for the shared drive is {password}
hotspot password: {password}
guest network, password {password}
my pw is {password} lol dont judge
u: {_login} p: {password}
password for the printer {password}
pass: {password}
passcode to the vault is {password}
"{password}" is the password
log in as {_login} with password {password}
wifi = {password}
wifi pw {password}
keep the password {password} safe
Your OTP is {code}. Valid for 5 minutes.
Your verification code is: {code}
{code} is your LinkedIn verification code.
Spotify: your login code is {code}
Don't share this code: {code}
Use code {code} to log in to Slack
your one-time code {code} expires soon
Barclays: passcode {code}. Never share it
two factor code: {code}
what did they send? - code {code}
pin for the card's {code_four}
my pin: {code_four}
the code to the building is {code_gate}
door code's {code_gate}
code for the lockbox {code_four}
code for the gate: {code_gate}
alarm pin {code_four}
gym code {code_four}
bathroom code is {code_four}
airbnb code {code_four}, call if stuck
combination is {code_combination}
use this api key {key}
here's my token {key}
github pat {key}
my recovery phrase is {seed}
windows key {license}
ssh into {ip}
ip is {ip}
passport number {id}
social security: {ssn}
ssn = {ssn}
dl number {id_driver}
ni number's {id_nino}
license plate {plate}
VIN is {plate_vin}
booking number {booking}
""".strip().split("\n")

FOURTH_RUSSIAN = r"""
набери мне потом {phone_ru}
мой номер для связи {phone_ru}
номер курьера {phone_ru}
если что звони папе {phone_ru}
вотсап {phone_ru}
сохрани: {phone_ru} Ира маникюр
тел поликлиники {phone_land}
офис {phone_land} доб {phone_extension}
кидай по номеру {phone_short}
в тбилиси теперь {phone_abroad}
пришли на почту {email}
мой адрес электронной почты {email}
ящик {email}
логинься под {email}
почта моя {email_russian}
карта для перевода {card}
скинь сюда {card}
сбер {card}
данные карты: {card} {_exp} {code_cvv}
код с обратной стороны {code_cvv}
iban для перевода {iban}
счёт для перевода {account_russian}
реквизиты: р/с {account_russian}
мы переехали на {address_ru}
жду тебя: {address_ru}
забери меня с {address_ru}
живём {address_ru}
посылка придет на {address_ru}
такси на {address_russian_small}
адрес офиса {address_ru}
{address_ru}, домофон {code_door}
код домофона {code_door}
домофон {code_door}, 3 этаж
вот инвайт https://t.me/+{link_token}
заходи в чат discord.gg/{link_token}
через 5 минут https://teams.microsoft.com/l/meetup-join/{link_token}
документ https://disk.yandex.ru/d/{link_token}
все фото тут https://we.tl/t-{link_token}
нажми https://app.notely.io/login?token={link_token}
отчет https://media.s3.amazonaws.com/doc.pdf?X-Amz-Signature={link_token}
место https://bit.ly/{link_token}
пароль от ютуба {password}
пароль от рабочего компа {password}
пароль у меня {password}
пароль: {password} логин: {_login}
логин {_login}\nпароль {password}
мой пароль {password}
вайфай у нас {password}
пароль от wifi {password}
новый пароль: {password}
пароль к архиву {password}
одноразовый пароль {code}
код {code} действует 5 минут
ваш код авторизации {code}
Код подтверждения {code}. Никому не сообщайте!
{code} — код для входа в Авито
Код для подтверждения: {code_four}
код доступа {code_four}
пришёл код: {code}
напиши код {code}
код из пуша {code_four}
пинкод от карты {code_four}
пин {code_four}
пин код телефона {code_four}
код от двери {code_gate}
код от калитки {code_gate}
код от сейфа {code_four}
код от велика {code_four}
код в подъезд {code_door}
код посылки {code_four}
мой апи ключ {key}
вот токен {key}
сид-фраза {seed}
ключ активации винды {license}
ip адрес {ip}
сервак {ip}
паспорт мой {id_russian}
паспорт: серия {id_series} номер {id_number}
снилс мамы {id_snils}
мой инн: {id_inn}
загран {id_travel}
номер тачки {plate_ru}
госномер {plate_ru}
код брони {booking}
""".strip().split("\n")

FOURTH_NOTHING = r"""
took 3 hours and 45 minutes
2 for 1 on tuesdays
i owe you 37.50
round 3 at 20:00
we're meeting the 14th at 6:15
sat 12/07 or sun 13/07?
it's 1080p 60fps
lost 4-1 again
the code is on github
password must be changed
that's not my password lol
wifi's slow today
2 factor is annoying
key stage 2 results
pin me a spot
i got 85% on the test
room 1204 has a view
24 hour fitness
drove 400 miles
5 star hotel
fifty shades
ranked 1234 in the world
he scored 101 off 88 balls
https://www.bbc.com/news/articles/c4g1234
https://www.youtube.com/watch?v=XyZ_123-abc
https://github.com/pallets/flask/releases/tag/2.3.0
python 3.13 is out
invoice 20391
order 9921833 shipped
platform 12 at 9:47
floor 7 smells
gate b44
take exit 23 off the m4
the 1975 are playing
page 404
i bought 2000 bricks
about 150000 people
1 million subs
level 60 druid
300 calories
43 inch tv
model x100
flat screen tv
i live near the park
my street is noisy
the drive was long
he passed away
lock the gate
safe trip
alarm went off at 5
сегодня 25 градусов
купи 2 литра молока
в 7 у метро
с 8 до 17
12 апреля
01.09.2024
счет 3:2 в нашу пользу
2500 руб
за 15 тысяч
20% скидка
5 лет назад
автобус 210
маршрутка 35к
этаж 5
кабинет 302
код не подошел
пароль не помню
пароль скинь в личку
какой код?
код на гитхабе
пин забыл
карта не работает
домофон сломался
адрес скинь
улица шумная
дом старый
квартира большая
номер скинь
номер 5 самый вкусный
тел разрядился
почту проверь
ключи у соседки
машину продал
паспорт готов
снилс не нужен
бронь отменили
1000 и 1 ночь
в 90-х
3 сезон 4 серия
https://lenta.ru/articles/2024/01/10/kot/
https://habr.com/ru/companies/yandex/articles/812345/
глава 15
стр 210
180 см 75 кг
100 из 100
в 2 раза дешевле
""".strip().split("\n")
