"""The templates of the labelled set: of the half redaction was developed with, and of the half it is measured on.

The second half was written after the patterns were.
"""

DEVELOPED_EN = """
call me at {phone}
my new number is {phone}, save it
{phone} is my work phone
hey, it's me, text {phone} when you land
you can reach him on {phone} after {_time}
numbers: {phone} and {phone2}
write to {email} please
my mail: {email}
{email} or {phone}, whatever works
sent the invoice to {email}!
card number {card}
pay with {card}, exp 04/27
here's the card: {card} ok?
my IBAN is {iban}
transfer the {_price} to {iban}
{iban}
I live at {address}
come to {address} at {_time}
address: {address}
send the parcel to {address}, thanks
https://example.com/reset?token={link}
join here https://zoom.us/j/{link_meeting}?pwd={link}x
the doc is at https://docs.google.com/document/d/{link}/edit
http://files.example.org/share/{link}
server is {ip}
ssh root@{ip} fails
my ssn is {ssn}
send eth to {wallet}
your code is {code}
{code} is your verification code
use code {code} to log in
pin: {code}
the wifi password is {password}
password: {password}
pass {password}
export KEY={key}
we are here: {location}
ring me, {phone}
lost my phone, temporary one: {phone}
is {phone} still yours?
mum's landline: {phone} (evenings only)
whatsapp {phone} 🙏
try {phone} first, then {phone2}
cc {email} on it
{email}?? that bounced
contact: {email}, {phone}
did you mail {email} yet
charge it to {card}
the amex/visa is {card}, don't lose it lol
{card} - that's the one
wire it here {iban}
bank details {iban} thx
we moved to {address} last week
pick me up from {address}?
party @ {address}, bring beer
new flat! {address} 🎉
it's {address}. ring twice
click https://portal.example.net/invite?code={link}&lang=en
https://user:{link}@git.example.com/repo.git
https://s3.amazonaws.com/bucket/file.zip?X-Amz-Signature={link}
chat.whatsapp.com/{link}
box is up on {ip} now
pinging {ip} gives nothing
social security: {ssn}
tip jar {wallet} 😂
otp is {code}
the door code is {code}
got {code} as my pin
your login code: {code}
pw: {password}
my netflix password is {password} don't change it
wifi pass: {password}
the secret key: {key}
dropped a pin: {location}
omg save this {phone} it's the plumber
so I dialed {phone} and nobody picked up
she gave me {phone}... should I text?
new sim! {phone}
for emergencies: {phone} or {phone2}
fax it to {phone} lol who faxes
{phone} call this not the other one
forward it to {email} by monday
is {email} right?
add me, {email}, same on everything
my uni one is {email} but I never check
visa {card} expires next month
he just pasted {card} into the group chat wtf
booked with {card}
please pay into {iban} before friday
acc: {iban}
{iban} is the one for rent
our place is {address}, second door
we're at {address} come whenever
ordering to {address}
the wedding is at {address} at {_time}
they live at {address} now
reset it here: https://accounts.example.com/password/reset/{link}
my calendar https://cal.example.org/ical/{link}/basic.ics
here you go https://drive.google.com/file/d/{link}/view?usp=sharing
discord.gg/{link}
can you reach {ip} from your side
blocked {ip} in the firewall
ssn {ssn} for the form
pay me in eth {wallet}
the code they sent is {code}
code: {code} hurry it expires
alarm code is {code}
{code} is your WhatsApp code
pin is {code}
password for the laptop is {password}
Password = {password}
login bob, password {password}
api key {key} keep it secret
meet me at {location}
""".strip().split("\n")

MEASURED_EN = """
this is my new phone: {phone}
his number? {phone}
{phone}
you have two, {phone} and {phone2}, right?
please call back {phone} asap, it's about the flat
tel {phone}
signal me on {phone} instead
everything goes to {email} from now on
{email}
wrong address, it's {email} not the other
mailing list owner is {email} btw
stripe says {card} was declined
{card}
mum's card is {card} but ask first
send rent to {iban}, same as always
{iban} ta
grandma's address is {address}
find us at {address} from {_time} on
parking is behind {address}
{address}
post it to {address} please
unsubscribe: https://news.example.com/u/{link}
join my team https://app.example.io/invite/{link}
https://meet.example.com/room?session={link}
photos https://photos.example.com/share/{link}
the vpn gives me {ip}
why is {ip} in the logs
her social is {ssn}
send it to {wallet} on mainnet
enter {code} when it asks
security code {code}
my pin code is {code} don't laugh
otp: {code}
it says your code is {code}
the password for netflix is {password}
wifi: guest, password: {password}
new password {password}
token={key}
we parked here {location}
""".strip().split("\n")

DEVELOPED_RU = """
мой номер {phone}
позвони мне на {phone} вечером
{phone} это рабочий
скинь на {phone}, если что
запиши: {phone} и {phone2}
почта {email}
пиши на {email}
карта {card}
переведи {_price} на {card} плиз
номер карты {card}
iban {iban}
живу {address}
адрес: {address}
приезжай на {address} к {_time}
доставка по адресу {address}
https://t.me/joinchat/{link}
ссылка https://example.ru/login?key={link}
ip сервера {ip}
код {code}
код подтверждения: {code}
{code} — код для входа
никому не говори код {code}
пин {code}
пароль {password}
пароль: {password}
пароль от вайфая: {password}
токен {key}
мы тут {location}
набери {phone}
это мамин телефон: {phone}, домашний
{phone} - вотсап
потеряла телефон, пока {phone}
сначала {phone}, потом {phone2}
кинь на {email}
{email} не доходит
моя почта {email} и телефон {phone}
скидывай на карту {card}
{card} сбер
оплати с {card}, там хватит
реквизиты {iban}
мы переехали: {address}
забери меня {address}
такси на {address}
новая квартира, {address} 🎉
вот инвайт https://chat.example.ru/join?invite={link}
заходи t.me/+{link}
сервак {ip} лежит
код из смс {code}
пришёл код: {code}
мой пинкод {code}
введите {code} для входа
пароль от почты {password}
пароль - {password}
вайфай пароль {password}
ключ апи {key}
точка {location}
сохрани {phone} это сантехник
звонила на {phone} не берут
новый номер {phone}, старый не работает
{phone} звони сюда
если что, телефон бабушки {phone}
перешли на {email} до пятницы
{email} правильно?
мой имейл {email}
вот карта {card} на имя мамы
кидай сюда {card}
оплатила картой {card} вчера
счёт {iban}
наш адрес {address}
встречаемся у {address} в {_time}
она живёт {address}
курьер приедет на {address}
держи https://disk.yandex.ru/d/{link}
восстановить: https://id.example.ru/reset?t={link}
забанили {ip}
код: {code}, быстрее
ваш код {code}
{code} - ваш код подтверждения
пинкод от карты {code}
код домофона {code}
пароль от ноута {password}
пароль: {password} никому
логин admin пароль {password}
токен бота {key}
встреча тут {location}
""".strip().split("\n")

MEASURED_RU = """
это мой новый: {phone}
его телефон? {phone}
{phone}
у тебя два, {phone} и {phone2}, да?
перезвони на {phone} насчёт квартиры
тел. {phone}
теперь всё на {email}
{email}
нет, правильно {email}
карта не проходит {card}
{card}
мамина карта {card}, но спроси
аренду на {iban}, как обычно
адрес бабушки {address}
ищи нас: {address}
{address}
отправь на {address} пожалуйста
отписаться: https://news.example.ru/u/{link}
вступай https://app.example.ru/invite/{link}
впн даёт {ip}
почему {ip} в логах
введи {code}, когда спросит
код безопасности {code}
мой пин {code}, не смейся
говорит, что код {code}
пароль от нетфликса {password}
вайфай guest, пароль: {password}
новый пароль {password}
token={key}
машина тут {location}
""".strip().split("\n")

DEVELOPED_NOTHING = """
see you on {_date} at {_time}
it costs {_price}
we had {_number} people and {_big} views
since {_year}, or {_years}
version {_version} is out
isbn {_isbn}
unix time {_stamp}
score was {_score}
order {_order} has shipped
{_percent} done
call me at 5
will you come at {_time}?
mark it as done, {_number} left
I saw 2 guys down the road
5 people in the street
flight at {_time}, gate 12
https://www.bbc.com/news/world-europe-66123456
https://github.com/python/cpython/issues/12345
the password is wrong
what's the code for that?
I forgot my password again
error code 404
promo code SAVE20
встреча {_date} в {_time}
стоит {_price}
было {_number} человек, {_big} просмотров
в {_year} году
версия {_version}
заказ {_order} отправлен
счёт {_score}
надежда есть
вера в людей
код ошибки 500
пароль неверный
забыла пароль
на 5 улице поворот
через {_number} минут
дом в {_number} этажей
1 000 000 раз говорил
train leaves {_time} from platform 9
born {_date}
paid {_price} for two
about {_big} steps today
{_years} were the best years
running {_version} here
it's book {_isbn}
ts={_stamp} in the logs
we won {_score}!!
tracking {_order}
up {_percent} since {_year}
room {_number}
there are {_number} ways to do it
at the end of the day
let's meet at {_time} or at 7
3 streets away, 10 minutes
20 minutes down the road
I need 4 eggs and 200 g flour
my phone died at {_time}
area code 415
zip code 90210
https://en.wikipedia.org/wiki/Street
https://www.theguardian.com/world/2024/jan/15/some-long-headline-about-news
the code is broken again
pass me the salt
password reset didn't work
поезд в {_time} с 3 пути
родилась {_date}
заплатил {_price}
где-то {_big} шагов
прошло {_number} дней
книга {_isbn}
трек {_order}
выиграли {_score}
рост {_percent}
квартира на {_number} метров
дома в 7
код не работает
пароль не подходит
любовь моя
роман толстого
в доме 5 подъездов
2 улицы отсюда
мне 30 лет, а ему 45
we're number 1!!
it's {_time} already?
the {_date} works for me
{_price} is too much
my bus is the 42
{_big} people watched it
page {_number} of the book
ran 10.5 km in {_time}
upgrade to {_version} broke it
ISBN {_isbn} if you want it
parcel number {_order}
final was {_score}
battery at {_percent}
since {_year} he says
from {_years} or so
take 2 pills every 8 hours
I'll be there in 5, maybe 10
3 missed calls from you
https://www.nytimes.com/2024/03/01/world/europe/some-story.html
https://www.youtube.com/
look at www.example.com
new code of conduct
she cracked the code
a pin on my jacket
my password is too long
the key is under the mat
he lives on the street where I grew up
turn left at the second street
room for 2 tonight
3 drive thrus closed
уже {_time}?
{_date} мне подходит
{_price} дорого
автобус 42
страница {_number}
пробежал 10,5 км
обнови до {_version}
посылка {_order}
финал {_score}
с {_year} года
зарядка {_percent}
буду через 5 минут, может 10
купи 3 литра молока и 10 яиц
3 пропущенных от тебя
взломала код
код написан плохо
пароль слишком длинный
ключ под ковриком
на второй улице налево
живу на улице где рос
заказал 2 пиццы на {_time}
""".strip().split("\n")

MEASURED_NOTHING = """
ok {_time} then
my birthday is {_date}
got it for {_price}
seat 14C, row {_number}
{_big} subscribers!
that was {_years}
windows {_version} sucks
the isbn is {_isbn}
order number {_order}
they lost {_score}
{_percent} off everything
chapter {_number}
bring 3 forks and 12 plates
be there in 20
4 of us, 2 cars
https://www.reuters.com/markets/stocks-rise-2024-05-01/
https://docs.python.org/3/library/re.html
our company works from home
what a lovely place to live
the password is secret
pass the code review first
pins and needles
500 metres down that road, 2nd left
born in {_year}
ладно, {_time}
мой др {_date}
взяла за {_price}
место 14, ряд {_number}
{_big} подписчиков!
это было {_years}
номер заказа {_order}
проиграли {_score}
скидка {_percent}
глава {_number}
возьми 3 вилки и 12 тарелок
буду через 20
нас 4, машины 2
какое место, жить бы тут
код ревью сначала
500 метров по дороге, второй поворот
родился в {_year}
пароль секретный
""".strip().split("\n")

DEVELOPED_NAMES_EN = """
did you see {name} yesterday
{name} said he'd come
tell {name} I said hi
{name_full} is my boss
{name}'s car broke down
I met {name_full} at the party
@{name} where are you
{name_lower} is late again
{name_last} gave us homework
with {name} and the others
have you heard from {name}?
{name} thinks it's fine
dinner at {name}'s tonight
ask {name}, not me
{name_full} called again
lol {name_lower} did that
thanks {name}!!
my teacher, {name_last}, is ill
I love {name} so much
{name} {name_last} wrote that
HAPPY BIRTHDAY {name_caps}
saw {name_full} and said nothing
""".strip().split("\n")

MEASURED_NAMES_EN = """
where's {name}?
{name} is coming too
me and {name} went home
did {name_full} reply
{name}, answer your phone
cant stand {name_lower} lately
{name_last} from work
it was {name}'s idea
gave it to {name} already
so {name} goes "no way"
between {name} and me
party at {name_full}'s place
""".strip().split("\n")

DEVELOPED_NAMES_RU = """
видел {name_accs} вчера
{name} сказал что придёт
передай {name_datv} привет
{name_full} мой начальник
без {name_gent} скучно
я с {name_ablt} в кино
говорили о {name_loct}
{name_lower_datv} позвони
у {name_full_gent} день рождения
с {name_last_ablt} не спорь
а {name} где?
позвони {name_datv}
мы у {name_gent} дома
еду с {name_full_ablt}
спроси у {name_lower_gent}
{name_last} опять опоздал
обожаю {name_accs}
думаю о {name_loct}
{name_full_datv} привет
скажи {name_datv} спасибо
поздравляем {name_accs}!!
{name_caps} С ДНЁМ РОЖДЕНИЯ
""".strip().split("\n")

MEASURED_NAMES_RU = """
где {name}?
{name} тоже придёт
мы с {name_ablt} ушли домой
отдала {name_datv} уже
без {name_gent} не начнём
{name_full} ответил?
у {name_gent} завтра экзамен
спорила с {name_lower_ablt}
видела {name_full_accs} в метро
это идея {name_gent}
{name_last} с работы
про {name_accs} ничего не слышно
""".strip().split("\n")

NO_NAMES = """
will you come
Will you come tomorrow?
mark it as done
Mark my words
May I ask something
in May we leave
I hope so
the rose is red
grace period
he can't bear it
вера в людей
надежда есть
Надежда умирает последней
любовь прошла
читаю роман
лев спит
Роман про войну
света нет с утра
слава богу
марк нет
""".strip().split("\n")
