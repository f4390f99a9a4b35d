#!/usr/bin/env escript
%%! +sbwt none +sbwtdcpu none +sbwtdio none
%% Erlang/OTP itself: what the others take as their model.
%% Called with a workload and a size; prints one line of JSON, as the other programs do.
%% Processor time is that of all threads of the emulator; its clock has milliseconds, so
%% everything is done more often than it is asked for.
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2, start_echo/0, start_named/0]).

-define(CALLERS, 100).
-define(OFTEN, 20).

main([Name, Given]) ->
    logger:set_primary_config(level, none),
    Size = ?OFTEN * list_to_integer(Given),
    workload(Name, max(Size div 10, ?CALLERS)),
    {Cpu, Wall} = workload(Name, Size),
    io:format("{\"version\": \"OTP ~s\", \"figures\": {\"cpu\": ~w, \"wall\": ~w}}~n",
              [erlang:system_info(otp_release), float(Cpu), float(Wall)]).

%% ------------------------------------------------------------------------- what is asked

start_echo() -> gen_server:start_link(?MODULE, echo, []).
start_named() -> gen_server:start_link({local, echo}, ?MODULE, echo, []).

init(echo) -> {ok, none};
init({children, Count, Start}) ->
    Limits = #{strategy => one_for_one, intensity => 1000000, period => 1},
    {ok, {Limits, [#{id => N, start => {?MODULE, Start, []}} || N <- lists:seq(1, Count)]}}.

handle_call(Number, _From, State) -> {reply, Number, State}.
handle_cast(crash, _State) -> error(crash);
handle_cast(_, State) -> {noreply, State}.

%% ---------------------------------------------------------------------------- workloads

workload("call", Count) ->
    {ok, Pid} = start_echo(),
    rate(Count, fun() -> calls(Pid, Count) end);
workload("cast", Count) ->
    {ok, Pid} = start_echo(),
    rate(Count, fun() ->
        [gen_server:cast(Pid, N) || N <- lists:seq(1, Count)],
        gen_server:call(Pid, 0, infinity)
    end);
workload("fan", Count) ->
    {ok, Pid} = start_echo(),
    rate(Count, fun() ->
        Callers = [spawn_monitor(fun() -> calls(Pid, Count div ?CALLERS) end)
                   || _ <- lists:seq(1, ?CALLERS)],
        [receive {'DOWN', Ref, process, _, _} -> ok end || {_, Ref} <- Callers]
    end);
workload("spawn", Count) ->
    rate(Count, fun() ->
        {ok, Supervisor} = supervisor:start_link(?MODULE, {children, Count, start_echo}),
        gen_server:stop(Supervisor)
    end);
workload("spawn-bare", Count) ->
    rate(Count, fun() ->
        Started = [start_echo() || _ <- lists:seq(1, Count)],
        [gen_server:stop(Pid) || {ok, Pid} <- Started]
    end);
workload("restart", Count) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {children, 1, start_named}),
    Times = [timed(fun() -> crash(whereis(echo)) end) || _ <- lists:seq(1, Count)],
    gen_server:stop(Supervisor),
    {Cpu, Walls} = {lists:sum([C || {C, _} <- Times]), lists:sort([W || {_, W} <- Times])},
    %% A median of processor times is out of reach of that clock: it is the mean.
    {Cpu / Count, lists:nth(Count div 2 + 1, Walls)}.

calls(_, 0) -> ok;
calls(Pid, Count) ->
    gen_server:call(Pid, Count),
    calls(Pid, Count - 1).

crash(Old) ->
    gen_server:cast(Old, crash),
    answered(Old).

answered(Old) ->
    case whereis(echo) of
        Pid when is_pid(Pid), Pid =/= Old ->
            gen_server:call(Pid, 0);
        _ ->
            erlang:yield(),
            answered(Old)
    end.

%% ------------------------------------------------------------------------------- clocks

rate(Count, Act) ->
    {Cpu, Wall} = timed(Act),
    {Count / max(Cpu, 1) * 1.0e6, Count / max(Wall, 1) * 1.0e6}.

%% Microseconds: by the processor, and by the clock on the wall.
timed(Act) ->
    {Before, _} = statistics(runtime),
    Began = erlang:monotonic_time(microsecond),
    Act(),
    Wall = erlang:monotonic_time(microsecond) - Began,
    {After, _} = statistics(runtime),
    {(After - Before) * 1000, Wall}.
