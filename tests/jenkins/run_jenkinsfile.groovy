// Compiles a Jenkinsfile with Groovy's own compiler, runs it with stubbed steps once for each
// scenario (a line of JSON on standard input), and prints what each run did (a line of JSON).
//
// A step or section that is not known here is an error: the list is what Jenkins and the plugins
// offer that Retune may use.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

class StepError extends RuntimeException {
    String result = 'FAILURE'
    StepError(String message) { super(message) }
}

// What one run does to the world around it.
class World {
    Map scenario
    Map env
    Map files
    Class credentialMissing
    List calls = []
    List stages = []
    List post = []
    Map currentBuild = [result: null, currentResult: 'SUCCESS', displayName: '#1', description: null]
    String failure
    String here = ''

    String path(String name) { return here ? "$here/$name" : name }

    boolean below(String name, String folder) { return name == folder || name.startsWith(folder + '/') }

    void finish(String result) {
        currentBuild.result = result
        currentBuild.currentResult = result
    }
}

// A block of the declarative syntax: what stands in it, and what that means.
class Section {
    static final Map MAY_HOLD = [
        pipeline: ['agent', 'options', 'environment', 'stages', 'post'],
        agent   : ['label'],
        stages  : ['stage'],
        stage   : ['options', 'when', 'steps'],
        options : ['skipDefaultCheckout', 'timestamps', 'timeout'],
        when    : ['beforeOptions', 'environment', 'expression'],
        post    : ['always'],
    ]
    World world
    String kind
    boolean wanted = true
    List timeouts = []

    def run(Closure body) {
        body.delegate = this
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body.call()
        return this
    }

    def invokeMethod(String name, arguments) {
        if (!(name in MAY_HOLD[kind])) { throw new MissingMethodException(name, Section, arguments) }
        List given = arguments as List
        def last = given ? given[-1] : null
        switch (name) {
            case 'environment':
                if (kind == 'when') {
                    wanted = world.env[last.name] == last.value
                } else {
                    last.delegate = new EnvironmentBlock(world: world)
                    last.resolveStrategy = Closure.DELEGATE_FIRST
                    last.call()
                }
                break
            case 'expression': wanted = last.call() as boolean; break
            case 'label':
                world.calls << [step: 'agent', label: last.toString()]
                if (world.scenario.abortedWaiting) { // for an agent; `post` runs all the same
                    world.failure = 'aborted by a user'
                    world.finish('ABORTED')
                } else {
                    world.env.WORKSPACE = '/home/jenkins/workspace'
                }
                break
            case 'timeout': timeouts << last; break
            case 'beforeOptions': break
            case 'skipDefaultCheckout':
            case 'timestamps': world.calls << [step: name]; break
            case 'post': world.post << last; break
            case 'always': last.call(); break
            case 'stage': if (world.failure == null) { runStage(given[0], last) }; break
            case 'steps': if (wanted) { last.call() }; break
            case 'when': wanted = new Section(world: world, kind: name).run(last).wanted; break
            case 'options': timeouts.addAll(new Section(world: world, kind: name).run(last).timeouts); break
            default: new Section(world: world, kind: name).run(last)
        }
        return null
    }

    void runStage(String title, Closure body) {
        Section stage = new Section(world: world, kind: 'stage')
        try {
            stage.run(body)
        } catch (StepError error) {
            world.failure = error.message
            world.finish(error.result)
        }
        if (stage.wanted) { world.stages << [name: title, timeouts: stage.timeouts] }
    }
}

class EnvironmentBlock {
    World world
    void setProperty(String name, value) { world.env[name] = value.toString() }
    def getProperty(String name) {
        if (name == 'world') { return this.@world }
        throw new MissingPropertyException(name, EnvironmentBlock)
    }
}

// The steps and global variables.
abstract class JenkinsScript extends Script {
    static final List RESULTS = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED']
    World world

    Map getEnv() { return world.env }
    Map getParams() { return world.scenario.params }
    Map getCurrentBuild() { return world.currentBuild }
    String getScm() { return 'the scm of the job' }

    void pipeline(Closure body) {
        new Section(world: world, kind: 'pipeline').run(body)
        world.post.each { new Section(world: world, kind: 'post').run(it) }
    }

    void checkout(String what) {
        assert what == scm
        world.calls << [step: 'checkout']
        if (world.scenario.checkoutFails) { throw new StepError('the checkout failed') }
    }

    void requireAgent() {
        if (!world.env.WORKSPACE) { throw new StepError('a step that requires a node context') }
    }

    void dir(String name, Closure body) {
        requireAgent()
        String before = world.here
        world.here = world.path(name)
        try { body.call() } finally { world.here = before }
    }

    void deleteDir() { world.files.keySet().removeAll { world.below(it, world.here) } }

    void writeFile(Map arguments) { world.files[world.path(arguments.file)] = arguments.text }

    boolean fileExists(String name) {
        requireAgent()
        return world.files.keySet().any { world.below(it, world.path(name)) }
    }

    String readFile(String name) { return readFile(file: name) }

    String readFile(Map arguments) {
        String name = world.path(arguments.file)
        if (!world.files.containsKey(name)) { throw new StepError("there is no file $name") }
        return world.files[name]
    }

    void error(String message) { throw new StepError(message) }

    void catchError(Map arguments, Closure body) {
        assert arguments.buildResult in RESULTS && arguments.stageResult in RESULTS
        try {
            body.call()
        } catch (StepError error) {
            world.calls << [step: 'catchError', message: error.message]
            world.finish(arguments.buildResult)
        }
    }

    Map file(Map arguments) { return arguments }

    Map usernamePassword(Map arguments) { return arguments }

    Map string(Map arguments) { return arguments }

    void withCredentials(List bindings, Closure body) {
        for (binding in bindings) {
            if (!(binding.credentialsId in world.scenario.credentials)) {
                throw world.credentialMissing.newInstance(binding.credentialsId)
            }
        }
        Map before = new LinkedHashMap(world.env)
        for (binding in bindings) {
            binding.findAll { it.key.toLowerCase().endsWith('variable') }.each {
                world.env[it.value] = "from $binding.credentialsId".toString()
            }
        }
        try {
            body.call()
        } finally {
            world.env.clear()
            world.env.putAll(before)
        }
    }

    int sh(Map arguments) {
        assert arguments.returnStatus
        world.calls << [step: 'sh', script: arguments.script.toString(), env: new LinkedHashMap(world.env)]
        world.files.putAll(world.scenario.writes ?: [:])
        if (world.scenario.aborted) {
            throw new StepError('aborted by a user').with { result = 'ABORTED'; it }
        }
        return world.scenario.status ?: 0
    }

    void build(Map arguments) { world.calls << ([step: 'build'] + arguments) }

    void archiveArtifacts(Map arguments) {
        world.calls << ([step: 'archiveArtifacts', folder: world.here] + arguments)
    }

    void junit(Map arguments) { world.calls << ([step: 'junit', folder: world.here] + arguments) }
}

GroovyClassLoader loader = new GroovyClassLoader(
    this.class.classLoader, new CompilerConfiguration(scriptBaseClass: 'JenkinsScript')
)
// What the credentials-binding plugin throws.
Class credentialMissing = loader.parseClass('''
    package org.jenkinsci.plugins.credentialsbinding.impl
    class CredentialNotFoundException extends IOException {
        CredentialNotFoundException(String message) { super(message) }
    }
''')
Class jenkinsfile = loader.parseClass(new File(args[0]))
System.in.eachLine { line ->
    Map scenario = new JsonSlurper().parseText(line)
    World world = new World(
        scenario: scenario,
        env: new LinkedHashMap(scenario.env),
        files: new LinkedHashMap(scenario.files ?: [:]),
        credentialMissing: credentialMissing,
    )
    JenkinsScript run = jenkinsfile.newInstance()
    run.setWorld(world) // by assignment it would become a variable of the script
    run.run()
    println JsonOutput.toJson([
        result: world.currentBuild.result ?: 'SUCCESS',
        failure: world.failure,
        displayName: world.currentBuild.displayName,
        description: world.currentBuild.description,
        stages: world.stages,
        calls: world.calls,
        env: world.env,
    ])
}
