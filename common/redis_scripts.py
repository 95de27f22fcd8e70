"""What happens to a job of the queue in one step, as Lua that Redis runs whole or not at all.

A job is the hash that RQ has for it. Its `status` is the truth and changes here only; the queue, RQ's intermediate
list and the registries follow. Whoever runs a job holds it by an `execution`, of which there is one at a time: what
another one says of the job changes nothing. Times are those of Redis, one clock for all machines. Each script may be
sent again when its answer was lost.

KEYS of all: job, queue, intermediate list, registries of started, finished and failed jobs, results, ARGV[1]: job id.
"""

_PRELUDE = """
local job, queue, intermediate, started, finished, failed, results = unpack(KEYS)
local id = ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local stamp = string.format('%.6f', now)
local function field(name) return redis.call('HGET', job, name) or nil end
local function tell(what) redis.call('PUBLISH', 'parley:job:' .. id, what) end
local function forget_execution(execution) redis.call('ZREM', started, id .. ':' .. execution) end
local function expire(seconds) redis.call('EXPIRE', job, seconds) redis.call('EXPIRE', results, seconds) end
local function unqueue() redis.call('LREM', queue, 0, id) redis.call('LREM', intermediate, 0, id) end
local function requeue()
  redis.call('HSET', job, 'status', 'queued', 'worker_name', '', 'queued_at', stamp)
  redis.call('HDEL', job, 'execution', 'taken_at', 'progress')
  unqueue()
  redis.call('LPUSH', queue, id)
  tell('queued')
end
local function finish(status, iso, registry, ttl_s)
  redis.call('HSET', job, 'status', status, 'ended_at', iso, 'finished_at', stamp)
  if registry then
    redis.call('ZREMRANGEBYSCORE', registry, 0, now)
    redis.call('ZADD', registry, now + ttl_s, id)
  end
  expire(ttl_s)
  tell(status)
end
"""

# ARGV: id, submission, fingerprint, seconds to live, field, value, field, value …
SUBMIT = (
    _PRELUDE
    + """
local status = field('status')
if status and field('submission') == ARGV[2] then return {'accepted', ARGV[2]} end
local usable = status == 'queued' or status == 'started'
  or (status == 'finished' and redis.call('EXISTS', results) == 1)
if usable and not field('stop') then
  if field('fingerprint') ~= ARGV[3] then return {'conflict', ''} end
  return {'joined', field('submission')}
end
redis.call('DEL', job, results)
redis.call('ZREM', finished, id)
redis.call('ZREM', failed, id)
unqueue()
redis.call('HSET', job, 'status', 'queued', 'submission', ARGV[2], 'fingerprint', ARGV[3], 'queued_at', stamp)
redis.call('HSET', job, unpack(ARGV, 5))
redis.call('EXPIRE', job, ARGV[4])
redis.call('SADD', 'rq:queues', queue)
redis.call('RPUSH', queue, id)
return {'accepted', ARGV[2]}
"""
)

# ARGV: id, execution, worker, ISO time, lease in seconds, seconds to live
CLAIM = (
    _PRELUDE
    + """
redis.call('LREM', intermediate, 0, id)
local status = field('status')
if status == 'queued' then
  redis.call('HINCRBY', job, 'attempts', 1)
  redis.call('HSET', job, 'status', 'started', 'execution', ARGV[2], 'worker_name', ARGV[3], 'begun_at', stamp,
    'started_at', ARGV[4], 'last_heartbeat', ARGV[4])
  redis.call('HDEL', job, 'taken_at')
  redis.call('EXPIRE', job, math.ceil((tonumber(field('timeout_s') or field('timeout')) or 0) + ARGV[6]))
  redis.call('ZADD', started, now + ARGV[5], id .. ':' .. ARGV[2])
  tell('started')
elseif status ~= 'started' or field('execution') ~= ARGV[2] then
  return false
end
return {field('data') or '', field('timeout_s') or field('timeout') or '', field('attempts')}
"""
)

# ARGV: id, execution, ISO time, lease in seconds
RENEW = (
    _PRELUDE
    + """
if field('status') ~= 'started' or field('execution') ~= ARGV[2] then
  forget_execution(ARGV[2])
  return 'lost'
end
redis.call('ZADD', started, now + ARGV[4], id .. ':' .. ARGV[2])
redis.call('HSET', job, 'last_heartbeat', ARGV[3])
return field('stop') and 'stop' or 'held'
"""
)

# ARGV: id, execution, progress as JSON
PROGRESS = (
    _PRELUDE
    + """
if field('status') ~= 'started' or field('execution') ~= ARGV[2] then return 0 end
redis.call('HSET', job, 'progress', ARGV[3])
tell('progress')
return 1
"""
)

# ARGV: id, execution, status, ISO time, seconds to live, field, value … of the result
FINISH = (
    _PRELUDE
    + """
forget_execution(ARGV[2])
if field('execution') ~= ARGV[2] then return 0 end
local status = field('status')
if status ~= 'started' then return status == ARGV[3] and 1 or 0 end
if #ARGV > 5 then redis.call('XADD', results, '*', unpack(ARGV, 6)) end
finish(ARGV[3], ARGV[4], ({finished = finished, failed = failed})[ARGV[3]], tonumber(ARGV[5]))
return 1
"""
)

# ARGV: id, execution, ISO time, seconds to live
GIVE_BACK = (
    _PRELUDE
    + """
forget_execution(ARGV[2])
if field('status') ~= 'started' or field('execution') ~= ARGV[2] then return 0 end
if field('stop') then
  finish('stopped', ARGV[3], nil, tonumber(ARGV[4]))
else
  redis.call('HINCRBY', job, 'attempts', -1)
  requeue()
end
return 1
"""
)

# ARGV: id, submission, ISO time, seconds to live
CANCEL = (
    _PRELUDE
    + """
local status = field('status')
if field('submission') ~= ARGV[2] then return 'other' end
if status == 'queued' then
  unqueue()
  finish('canceled', ARGV[3], nil, tonumber(ARGV[4]))
elseif status == 'started' then
  redis.call('HSET', job, 'stop', '1')
  redis.call('PUBLISH', 'rq:pubsub:' .. field('worker_name'), cjson.encode(
    {command = 'stop-execution', job_id = id, execution_id = field('execution')}))
end
return status
"""
)

# Jobs of workers that fell silent, and of those that died as they took one; ARGV[1] is a job that must not be missing.
# ARGV: id or '', ISO time, lease in seconds, most attempts, seconds to live, field, value … of the result of a failure
SWEEP = (
    _PRELUDE
    + """
local asked, lease_s = id, tonumber(ARGV[3])
local requeued, lost = 0, 0
local function is_job(of)
  id, job, results = of, 'rq:job:' .. of, 'rq:results:' .. of
  return redis.call('EXISTS', job) == 1
end
local about = redis.pcall('INFO', 'server')
local up_s = type(about) == 'string' and tonumber(string.match(about, 'uptime_in_seconds:(%d+)'))
if not up_s or up_s > lease_s then  -- else nobody could renew while Redis was away
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', started, 0, now)) do
    local of, execution = string.match(member, '^(.*):([^:]*)$')
    redis.call('ZREM', started, member)
    if is_job(of) and field('status') == 'started' and field('execution') == execution then
      if field('stop') then
        finish('stopped', ARGV[2], nil, tonumber(ARGV[5]))
      elseif tonumber(field('attempts')) < tonumber(ARGV[4]) then
        requeue()
        requeued = requeued + 1
      else
        redis.call('XADD', results, '*', unpack(ARGV, 6))
        finish('failed', ARGV[2], failed, tonumber(ARGV[5]))
        lost = lost + 1
      end
    end
  end
end
for _, of in ipairs(redis.call('LRANGE', intermediate, 0, -1)) do
  if not is_job(of) or field('status') ~= 'queued' then
    redis.call('LREM', intermediate, 0, of)
  elseif redis.call('HSETNX', job, 'taken_at', stamp) == 0 and now - field('taken_at') > lease_s then
    requeue()
    requeued = requeued + 1
  end
end
if asked ~= '' and is_job(asked) and field('status') == 'queued'
  and not redis.call('LPOS', queue, asked) and not redis.call('LPOS', intermediate, asked) then
  requeue()
  requeued = requeued + 1
end
return {requeued, lost}
"""
)
